"""Each point that platform teams look at has a test, and the guide installs what the chart renders."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deploy.tools import make_chart
from deploy.tools.chart_values import ALL
from deploy.tools.values_model import leaves
from tests.acceptance.printed_commands import commands
from tests.system.chart import CHART, ROOT, helm, needs_helm, of_kind, parsed

README = ROOT / "deploy" / "README.md"
GUIDE = ROOT / "docs" / "guides" / "kubernetes.md"
TABLE = README.read_text("utf-8").partition("<!-- points -->")[2].partition("<!-- end of points -->")[0]


def test_all_twenty_points_are_there() -> None:
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", TABLE, re.MULTILINE)] == list(range(1, 21))


@pytest.mark.parametrize(
    "row", [line for line in TABLE.splitlines() if re.match(r"\| \d", line)], ids=lambda row: row[2:4]
)
def test_the_tests_of_a_point_are_there(row: str) -> None:
    tests = re.findall(r"`((?:\w+::|tests/)[^`]+)`", row.split(" | ")[2])
    assert tests
    for each in tests:
        part, _, name = each.partition("::")
        file = ROOT / part if part.startswith("tests/") else Path(__file__).parent / f"test_chart_{part}.py"
        assert not name or f"def {name}(" in file.read_text("utf-8"), each
        assert file.exists(), each


def test_everything_that_is_made_is_up_to_date() -> None:
    old = [
        path.relative_to(CHART).as_posix()
        for path, text in make_chart.files().items()
        if path.read_text("utf-8") != text
    ]
    assert old == [], "run `make chart`"


def test_every_value_has_a_meaning_in_the_readme() -> None:
    text = (CHART / "README.md").read_text("utf-8")
    for path, value in leaves(ALL):
        assert value.meaning, path
        assert f"| `{path}` |" in text


@needs_helm
def test_the_values_of_the_guide_install_what_it_says(tmp_path: Path) -> None:
    guide = GUIDE.read_text("utf-8")
    values = tmp_path / "values.yaml"
    values.write_text(
        next(block for block in re.findall(r"```yaml\n(.*?)```", guide, re.DOTALL) if "operator" in block)
    )
    (install,) = (each.text for each in commands(GUIDE) if each.text.startswith("helm install"))
    arguments = install.replace("helm install", "template").replace("values.yaml", str(values)).split()
    done = helm(*(str(ROOT / word) if word.startswith("deploy/") else word for word in arguments))
    assert done.returncode == 0, done.stderr
    found = parsed(done.stdout)
    # The Secrets that it tells to make, and those of cert-manager, are all that pods read.
    told = set(re.findall(r"create secret generic (\S+)", guide))
    made = {each["spec"]["secretName"] for each in of_kind(found, "Certificate")}
    mounted: set[str] = set()
    for each in of_kind(found, "Deployment", "Job"):
        for volume in each["spec"]["template"]["spec"]["volumes"]:
            if "secret" in volume:
                mounted.add(volume["secret"]["secretName"])
            mounted |= {source["secret"]["name"] for source in volume.get("projected", {}).get("sources", [])}
    assert mounted - made == told
    names = {each["metadata"]["name"] for each in found}
    assert set(re.findall(r"(?:deployment|https:/)/(sms-tukupay-sms-[a-z]+)", guide)) <= names
    assert "sms-tukupay-sms-operator-tls" in made
