"""Measurements that stay on this machine."""
