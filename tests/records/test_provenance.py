"""Where a record was made: no host or user name, and a folder name that is one."""

from mmbench.records.provenance import commit, machine, machine_folder, versions


def test_machine_names_no_host():
    found = machine()
    assert set(found) == {"cpu", "cores", "os", "architecture", "python"}
    assert machine_folder(found | {"os": "A B/../C 1"}).startswith("A-")


def test_versions_are_of_installed_libraries_only():
    found = versions()
    assert {"mmbench", "numpy", "torch"} <= found.keys()
    assert all(found.values())


def test_a_folder_outside_git_has_no_commit(tmp_path):
    assert commit(tmp_path) == (None, None)
