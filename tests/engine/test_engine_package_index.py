"""Which package index is asked, as pip and uv would decide."""

from pathlib import Path

import pytest

from ringfence.engine.sources.package_index import PUBLIC_INDEX, index_urls, pip_config_files


def config(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_without_any_setting_the_public_index_is_asked() -> None:
    assert index_urls({}, ()) == (PUBLIC_INDEX,)


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_the_environment_names_the_index(name: str, tmp_path: Path) -> None:
    file = config(tmp_path / "pip.conf", "[global]\nindex-url = https://file.example/simple\n")

    assert index_urls({name: "https://own.example/simple/"}, (file,)) == (
        "https://own.example/simple",
    )


def test_a_later_configuration_file_and_a_closer_section_win(tmp_path: Path) -> None:
    first = config(tmp_path / "1", "[global]\nindex-url = https://first.example/\n")
    second = config(
        tmp_path / "2",
        "[global]\nindex-url = https://second.example/\n[install]\nindex-url=https://i.example/\n",
    )

    assert index_urls({}, (first, second)) == ("https://i.example",)
    assert index_urls({}, (second, first)) == ("https://first.example",)


def test_further_indexes_are_asked_after_the_main_one(tmp_path: Path) -> None:
    file = config(
        tmp_path / "pip.conf",
        "[global]\nextra-index-url =\n  file:///opt/mirror/simple\n  https://more.example/simple\n",
    )

    assert index_urls({"UV_INDEX": "team=https://team.example/simple"}, (file,)) == (
        PUBLIC_INDEX,
        "https://more.example/simple",
        "https://team.example/simple",
    )


def test_no_index_means_no_index() -> None:
    assert index_urls({"PIP_NO_INDEX": "1"}, ()) == ()


def test_a_configuration_file_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    broken = config(tmp_path / "pip.conf", "index-url = https://no.section/\n")

    assert index_urls({}, (broken, tmp_path / "missing")) == (PUBLIC_INDEX,)


def test_the_configuration_file_that_the_environment_names_wins() -> None:
    assert pip_config_files({"PIP_CONFIG_FILE": "/somewhere/pip.conf"})[-1] == Path(
        "/somewhere/pip.conf"
    )


def test_pip_settings_can_be_switched_off_altogether() -> None:
    assert pip_config_files({"PIP_CONFIG_FILE": "/dev/null"}) == ()
