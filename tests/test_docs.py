"""What the README says about settings is what the settings read."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Read by the start scripts, not by settings.py.
ELSEWHERE = {"STAFF_PASSWORD", "WEB_WORKERS"}


def test_the_readme_lists_every_setting_and_no_other() -> None:
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', (ROOT / "termin_project/settings.py").read_text()))
    table = (ROOT / "README.md").read_text().split("## Configuration")[1].split("\n## ")[0]
    listed = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in re.findall(r"`([A-Z_]+)`", row)
    }

    assert listed - ELSEWHERE == read | {"DATABASE_URL"}


def test_the_readme_names_scripts_that_can_be_run() -> None:
    readme = (ROOT / "README.md").read_text()

    for script in re.findall(r"^(script/\w+)$", readme, re.M):
        assert (ROOT / script).stat().st_mode & 0o111, script
    assert "script/server" in readme
    assert "script/test" in readme
