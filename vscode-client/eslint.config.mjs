import tseslint from "typescript-eslint";

export default tseslint.config(
  ...tseslint.configs.strictTypeChecked,
  { languageOptions: { parserOptions: { projectService: true } } },
  { files: ["test/**"], rules: { "@typescript-eslint/no-floating-promises": "off" } },
);
