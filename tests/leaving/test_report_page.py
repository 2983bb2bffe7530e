"""The report in a browser: axe finds nothing, in the light, in the dark and on a phone; and no request leaves."""

import shutil
import warnings

import numpy as np
import pandas as pd
import pytest

from evenodds import fit_table, write_report

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the extra 'browser' (playwright)")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs the extra 'browser' (axe)")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("needs a Chromium of the system", allow_module_level=True)


CLASSES = {
    "two": ["no", "yes"],
    "five": ["strong Democrat", "weak Democrat", "independent of any party", "weak Republican", "strong Republican"],
}
# Of each text of a picture, and each caption, how far it leaves the page to the left or to the right.
BEYOND = """[...document.querySelectorAll('svg text, caption')].map(one => {
    const box = one.getBoundingClientRect()
    return [one.textContent, -box.left, box.right - document.documentElement.clientWidth]
}).filter(([_, left, right]) => Math.max(left, right) > 0)"""


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=CLASSES)
def report(request, tmp_path_factory):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age & <b>": rng.normal(50, 9, 400), "x" * 200: rng.choice(["a", "b" * 90, "<i>"], 400)})
    frame["work"] = rng.choice(["teacher, nurse, writer or skilled worker", "farming or semi-skilled worker"], 400)
    labels, score = CLASSES[request.param], frame["age & <b>"] + rng.normal(0, 9, 400)
    frame["late"] = np.array(labels)[np.searchsorted(score.quantile(np.arange(1, len(labels)) / len(labels)), score)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return write_report(fit_table("late", frame), frame, tmp_path_factory.mktemp("page") / "report.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nobody_is_left_out_and_nothing_leaves(browser, report, scheme, width):
    # The page's own policy forbids the script that looks at it.
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page, asked, said = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(report.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    found = axe.Axe().run(page)
    too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    beyond = page.evaluate(BEYOND)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    context.close()
    assert found.violations_count == 0, found.generate_report()
    assert asked == [report.as_uri()]
    assert said == []
    assert too_wide <= 0
    assert beyond == []
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
