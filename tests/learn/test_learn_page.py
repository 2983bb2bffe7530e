"""The page in a browser: every chapter and control, over the server and over tapes, without a word on the console."""

import functools
import http.server
import re
import shutil
import threading
import time

import numpy as np
import pytest
from serving import serving

from evenodds.learn import CHAPTERS, mistakes, server, source, tapes

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the extra 'browser' (playwright)")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("needs a Chromium of the system", allow_module_level=True)


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def served():
    with serving() as found:
        yield found


@pytest.fixture(scope="module")
def static(tmp_path_factory):
    """A static host with the chapters' tapes and two mistakes', below a path."""
    folder = tmp_path_factory.mktemp("site")
    with pytest.MonkeyPatch.context() as patch:
        chosen = [wish for wish in tapes.wishes() if not wish["keys"] or wish["keys"][0] in ("exp", "boundary")]
        patch.setattr(tapes, "wishes", lambda: chosen)
        asked = [each for i, each in enumerate(tapes.asked()) if i % 6 == 0 or each[1].get("at") == -710]
        patch.setattr(tapes, "asked", lambda: asked)
        tapes.write(folder / "docs" / "learn")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def guess_type(self, path):
            return "text/javascript" if str(path).endswith(".mjs") else super().guess_type(path)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as host:
        thread = threading.Thread(target=host.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{host.server_address[1]}/docs/learn/"
        host.shutdown()
        thread.join()


@pytest.fixture
def visit(browser, served):
    """Open the page; at the end there must be no message, no error, and no request to elsewhere."""
    contexts, said, asked = [], [], []

    def opened(state="chapter=sigmoid", base=None, width=1440, **options):
        # The page's own policy forbids eval, which Playwright's waiting needs; one test keeps it.
        options = {"bypass_csp": True, **options}
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{base}#{state}" if base else f"{served.origin}/#{state}&token={served.token}")
        page.wait_for_selector("body[data-ready]")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
    assert bool(asked) == bool(contexts)  # a test that is skipped has opened none
    assert all(re.match(r"(data:|http://127\.0\.0\.1)", url) for url in asked)


def learnt(page):
    """Wait until what is wanted now is learnt to its end."""
    page.wait_for_function("evenodds.run?.done && document.body.dataset.done === String(evenodds.turns)")


def text_of(page, selector):
    return page.text_content(selector)


def violations(page, *seen):
    """What axe finds on a page, but for the parts that it has seen."""
    sync_playwright = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    found = sync_playwright.Axe().run(page, {"exclude": [[part] for part in seen]}).response["violations"]
    return [(each["id"], [node["html"][:90] for node in each["nodes"]]) for each in found]


# What is shown


@pytest.mark.parametrize(("widths", "scheme"), [((360,), "light"), ((1440, 768), "dark")])
def test_each_chapter_is_accessible_and_fits(visit, widths, scheme):
    page = visit(width=widths[0], color_scheme=scheme)
    code = None
    for chapter in CHAPTERS:
        page.evaluate(f"location.hash = 'chapter={chapter}'")
        page.wait_for_selector(f"body[data-ready={chapter}]")
        learnt(page)
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (chapter, width)
        before, code = code, page.inner_html("#code")  # most of the page, and the same in all chapters
        assert violations(page, *["#code"] * (code == before)) == [], chapter


def test_a_comparison_is_accessible_on_a_phone(visit):
    page = visit("chapter=engine", width=360, color_scheme="dark")
    page.click("#engine .see")
    page.wait_for_selector("#versus table", timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []


def test_a_mistake_and_its_lesson_are_accessible_on_a_phone(visit):
    page = visit("chapter=descent&mistakes=exp&data=thousandths&normalise=0&lr=0.01", width=360)
    learnt(page)
    page.click("#d-mistakes summary")
    page.wait_for_selector("#alarm:not([hidden])")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []


def test_the_code_shown_is_the_file(visit):
    page = visit(bypass_csp=False)
    assert page.evaluate("evenodds.code.text") == source.SOURCE
    shown = page.evaluate(
        "[...document.querySelectorAll('#code div')].map((row) => row.children[1].textContent).join('\\n')"
    )
    assert shown == source.SOURCE


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_guess_then_see(visit, chapter):
    page = visit(f"chapter={chapter}")
    ask = page.locator(f"#{chapter} .ask")
    assert ask.locator(".told").is_hidden()
    right = ask.get_attribute("data-right")
    if right is not None:
        ask.locator("input").nth(int(right)).check()
    ask.locator(".see").click()
    ask.locator(".told").wait_for(state="visible", timeout=60_000)
    if right is not None:
        assert ask.locator(".told").inner_text().startswith("You were right.")
    assert page.is_hidden("#alarm")
    if chapter == "boundary":
        assert "the learnt one has 87" in ask.locator(".told").inner_text() or page.evaluate("evenodds.player.playing")
    if chapter == "engine":
        page.wait_for_selector("#versus table", timeout=60_000)
        assert "proves" in text_of(page, "#versus")
        page.select_option("#data", "clouds")
        page.wait_for_function("document.querySelector('#versus').textContent.includes('separated')", timeout=60_000)
    page.click("#next")
    after = CHAPTERS[(CHAPTERS.index(chapter) + 1) % len(CHAPTERS)]
    page.wait_for_selector(f"body[data-ready={after}]")
    assert page.is_visible(f"#{after}")


def test_what_the_chapters_say_is_so_and_its_table_is_accessible_on_a_phone(visit):
    page = visit("chapter=sigmoid", width=360, color_scheme="dark")
    assert "0.881" in text_of(page, "#c-curve")
    page.click("#far")
    page.wait_for_function("document.getElementById('c-curve').textContent.includes('4.48e-309')")
    page.evaluate("location.hash = 'chapter=normalise'")
    page.wait_for_selector("body[data-ready=normalise]")
    learnt(page)
    assert page.evaluate("evenodds.run.loss[199]") > 1000
    page.evaluate("location.hash = 'chapter=measure'")
    page.wait_for_selector("body[data-ready=measure]")
    learnt(page)
    page.click("#measure .see")
    page.wait_for_function("!evenodds.player.playing && evenodds.at === 199")
    page.wait_for_selector("#measured table")
    table = text_of(page, "#measured")
    assert re.search(r"accuracy0\.95\d|accuracy0\.96\d", table), table
    found = int(re.search(r"class 1: found(\d+) of 25", table)[1])
    assert 4 <= found <= 8
    page.fill("#threshold", "0.1")
    page.wait_for_function(f"!document.getElementById('measured').textContent.includes('found{found} of')")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []


# Playing and stepping


def test_playing_draws_every_epoch(visit):
    page = visit("chapter=descent&epochs=200")
    learnt(page)
    page.evaluate(
        "(() => { window.drawn = []; const draw = evenodds.draw.bind(evenodds);"
        " evenodds.draw = () => { drawn.push(evenodds.at); return draw(); }; })()"
    )
    page.click("#play")
    assert text_of(page, "#play") == "❚❚ Pause"
    page.wait_for_function("evenodds.at === 199 && !evenodds.player.playing", timeout=60_000)
    assert set(page.evaluate("drawn")) >= set(range(1, 200))
    page.click("#play")  # at the end it begins again
    page.wait_for_function("evenodds.at > 2 && evenodds.at < 199")
    page.keyboard.press("Space")  # the button has the focus
    page.wait_for_function("!evenodds.player.playing")
    stopped = page.evaluate("evenodds.at")
    page.click("#back")
    assert page.evaluate("evenodds.at") == stopped - 1
    page.click("#step")
    page.click("#step")
    page.wait_for_function(f"evenodds.at === {stopped + 1}")
    page.fill("#at", "120")
    page.wait_for_function("evenodds.at === 120")
    assert "After epoch 121" in text_of(page, "#say")
    page.click("#again")
    page.wait_for_function("evenodds.at === 0")


def test_stepping_by_batch_and_by_operation_there_and_back(visit):
    page = visit("chapter=batches&bs=30&epochs=20")
    learnt(page)
    page.select_option("#unit", "batch")
    page.wait_for_function("evenodds.trace?.batch === 0")
    for batch in (1, 2, 3):
        page.click("#step")
        page.wait_for_function(f"evenodds.trace.batch === {batch}")
    page.click("#step")
    page.wait_for_function("evenodds.trace.epoch === 1 && evenodds.trace.batch === 0")
    page.click("#back")
    page.wait_for_function("evenodds.trace.epoch === 0 && evenodds.trace.batch === 3")
    np.testing.assert_array_equal(page.evaluate("[...evenodds.trace.w]"), page.evaluate("evenodds.run.weights(0)"))
    assert page.evaluate("evenodds.trace.rows.length") == 10
    page.select_option("#unit", "operation")
    page.wait_for_function("evenodds.trace?.batch === 0")
    seen = []
    for _ in range(12):
        page.click("#step")
        seen.append(page.evaluate("[evenodds.player.op, document.querySelector('#code mark').textContent]"))
    events = page.evaluate("evenodds.trace.events")
    assert seen == [[op, source.expression(source.SOURCE, events[op][:4])] for op in range(1, 13)]
    page.click("#back")
    assert page.evaluate("[evenodds.player.op, document.querySelector('#code mark').textContent]") == seen[-2]
    assert "operation 12 of" in text_of(page, "#where-in")


def test_reduced_motion_moves_little(visit):
    page = visit("chapter=descent&epochs=100", reduced_motion="reduce")
    learnt(page)
    page.fill("#at", "69")
    page.wait_for_function("evenodds.at === 69")
    page.evaluate(
        "(() => { window.drawn = 0; const draw = evenodds.draw.bind(evenodds);"
        " evenodds.draw = () => { drawn += 1; return draw(); }; })()"
    )
    page.click("#play")
    page.wait_for_function("evenodds.at === 99 && !evenodds.player.playing", timeout=60_000)
    assert page.evaluate("drawn") <= 5


def test_by_keyboard_alone(visit):
    page = visit("chapter=descent")
    learnt(page)
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "document.activeElement.id || document.activeElement.className || document.activeElement.tagName"
            )
        )
    wanted = {
        "play",
        "back",
        "step",
        "again",
        "unit",
        "at",
        "data",
        "features",
        "norm",
        "lr",
        "bs",
        "epochs",
        "seed",
        "see",
    }
    assert wanted | {"SUMMARY", "plane", "code", "next"} <= reached
    page.focus("#plane")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("evenodds.at === 1")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("evenodds.at === 0")
    page.keyboard.press("Space")
    page.wait_for_function("evenodds.at > 3")


# Controls


def test_every_control_learns_anew(visit):
    page = visit("chapter=descent")
    learnt(page)
    for act, check in (
        (
            lambda: page.select_option("#data", "xor"),
            "evenodds.run.settings.data === 'xor' && evenodds.run.y.length === 300",
        ),
        (lambda: page.select_option("#features", "spline"), "evenodds.run.n === 33"),
        (lambda: page.uncheck("#norm"), "evenodds.run.settings.normalise === false"),
        (lambda: page.fill("#lr", "1"), "evenodds.run.settings.lr === 10"),
        (lambda: page.fill("#bs", "1.5"), "evenodds.run.settings.bs === 32"),
        (lambda: page.fill("#epochs", "50"), "evenodds.run.settings.epochs === 50 && evenodds.run.have === 50"),
        (lambda: (page.fill("#seed", "7"), page.press("#seed", "Enter")), "evenodds.run.settings.seed === 7"),
    ):
        act()
        page.wait_for_function(check)
        learnt(page)
    page.wait_for_function("document.querySelectorAll('#runs tbody tr').length >= 1")
    shared = page.evaluate("new Promise((done) => setTimeout(() => done(location.hash), 500))")
    assert "token" not in shared
    other = visit(shared[1:])
    learnt(other)
    state = "[evenodds.chapter, evenodds.settings, evenodds.at]"
    assert other.evaluate(state) == page.evaluate(state)
    page.select_option("#data", "moons")
    learnt(page)
    page.locator("#runs button").last.click()
    learnt(page)


def test_what_was_asked_of_a_run_that_is_over_is_no_alarm(visit):
    """The values of its last epoch, which the next run does not have."""
    page = visit("chapter=descent&epochs=100")
    learnt(page)
    page.route("**/call", lambda route: (time.sleep(0.6 * ('"begin"' in route.request.post_data)), route.continue_()))
    page.evaluate(
        "(() => { window.problems = []; evenodds.problem = (error) => problems.push(error.message);"
        " evenodds.at = 99; evenodds.settle(); evenodds.set({ epochs: 50 }); })()"
    )
    page.wait_for_function("evenodds.run.settings.epochs === 50")
    learnt(page)
    assert page.evaluate("problems") == []


def test_the_line_can_be_drawn(visit):
    page = visit("chapter=boundary")
    before = page.evaluate("evenodds.plane.guess")
    u, v = page.evaluate("evenodds.plane.px(...evenodds.plane.guess[0])")
    frame = page.locator("#plane").bounding_box()
    page.mouse.move(frame["x"] + u, frame["y"] + v)
    page.mouse.down()
    page.mouse.move(frame["x"] + u, frame["y"] + v + 60)
    page.mouse.up()
    page.locator(".nudge").nth(1).press("ArrowUp")
    after = page.evaluate("evenodds.plane.guess")
    assert after[0][1] < before[0][1]
    assert after[1][1] > before[1][1]


# Mistakes


@pytest.mark.parametrize("mistake", mistakes.MISTAKES, ids=lambda mistake: mistake.key)
def test_every_mistake_on_its_switch(visit, mistake):
    page = visit("chapter=descent")
    learnt(page)
    page.click("#d-mistakes summary")
    page.check(f"#mistakes input[value={mistake.key}]")
    page.wait_for_function("evenodds.run.settings.keys.length === 1")
    learnt(page)
    assert text_of(page, "#lesson .number b") == mistake.wrong
    assert text_of(page, "#lesson h3") == mistake.title
    assert re.sub(r"[`*]", "", " ".join(mistakes.sections()[mistake.title]))[:60] in re.sub(
        r"[`*]", "", text_of(page, "#lesson ul")
    )
    assert page.evaluate("evenodds.code.text") == mistakes.text_of([mistake.key])
    gone = page.locator("#code .gone").count()
    assert gone == sum(row[0] == "-" for row in source.diff(mistakes.text_of([mistake.key])))
    if mistake.key in ("exp", "log0", "constant"):
        page.wait_for_selector("#alarm code")
        assert (
            text_of(page, "#alarm code")
            == {"exp": "np.exp(-z)", "log0": "np.log(p)", "constant": "(X - mean) / std"}[mistake.key]
        )
    page.uncheck(f"#mistakes input[value={mistake.key}]")
    page.wait_for_function("evenodds.run.settings.keys.length === 0")
    learnt(page)
    assert page.evaluate("evenodds.code.text") == source.SOURCE


def test_two_mistakes_where_they_fit(visit):
    page = visit("chapter=descent&mistakes=log0")
    learnt(page)
    page.click("#d-mistakes summary")
    assert page.is_disabled("#mistakes input[value=sign]")
    page.check("#mistakes input[value=exp]")
    page.wait_for_function("evenodds.run.settings.keys.length === 2")
    assert page.evaluate("evenodds.code.text") == mistakes.text_of(["log0", "exp"])


# Own data


def test_own_points_by_mouse_and_keyboard(visit):
    page = visit("chapter=own")
    learnt(page)
    count = "evenodds.run.y.length"
    assert page.evaluate(count) == 6
    plane = page.locator("#plane")
    plane.scroll_into_view_if_needed()
    plane.click(position={"x": 30, "y": 200})
    page.wait_for_function(f"{count} === 7")
    learnt(page)
    u, v = page.evaluate("evenodds.plane.px(...evenodds.rows[6])")
    plane.dblclick(position={"x": u, "y": v})
    page.wait_for_function(f"{count} === 6")
    learnt(page)
    plane.focus()
    for _ in range(4):
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_function(f"{count} === 7")
    page.keyboard.press("m")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("m")
    page.keyboard.press("Delete")
    page.wait_for_function(f"{count} === 6")
    page.click("#clear")
    learnt(page)
    assert page.evaluate("evenodds.rows.length") == 6


def test_own_points_by_touch(visit):
    page = visit("chapter=own", width=360, has_touch=True)
    learnt(page)
    page.locator("#plane").scroll_into_view_if_needed()
    page.locator("#plane").tap(position={"x": 40, "y": 150})
    page.wait_for_function("evenodds.run.y.length === 7")


def test_csv_files(visit, tmp_path):
    page = visit("chapter=own")
    good = tmp_path / "good.csv"
    good.write_text(
        "height,weight,sick\n" + "\n".join(f"{i % 7},{i % 5},{'yes' if i % 3 else 'no'}" for i in range(50))
    )
    page.set_input_files("#file", good)
    page.wait_for_function("evenodds.run.y.length === 50")
    assert "height and weight" in text_of(page, "#own-say")
    for name, content, words in (
        ("text.csv", "once upon\na time\nthere was", "two columns of numbers are needed"),
        ("nan.csv", good.read_text() + "\nnan,1,yes", "Row 51 of column 'height' is 'nan'"),
        ("long.csv", "a,b,c\n" + "1,2,0\n2,1,1\n" * 6000, "at most 10,000 rows"),
        ("huge.csv", "a,b,c\n" + "1,2,0\n2,1,1\n" * 400_000, "at most 10,000 rows and 2 MB"),
    ):
        path = tmp_path / name
        path.write_text(content)
        page.evaluate("document.getElementById('own-say').textContent = ''")
        page.set_input_files("#file", path)
        page.wait_for_function("document.getElementById('own-say').textContent.length > 0")
        assert words in text_of(page, "#own-say")
    assert page.evaluate("evenodds.run.y.length") == 50


# Without Python

TAPES = pytest.mark.xdist_group("tapes")  # one process writes them


@TAPES
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_tapes_play_each_chapter(visit, static, chapter):
    page = visit(f"chapter={chapter}", base=static)
    page.wait_for_selector(f"body[data-ready={chapter}]")
    assert "recording" in text_of(page, "#where")
    wanted, got = page.evaluate(
        "import('./chapters.mjs').then(({ CHAPTERS }) => [CHAPTERS[evenodds.chapter].settings, evenodds.settings])"
    )
    assert got == wanted
    assert page.evaluate("evenodds.code.text") == source.SOURCE
    if chapter != "own":
        page.click(f"#{chapter} .see")
        page.locator(f"#{chapter} .told").wait_for(state="visible")
        assert page.is_hidden("#alarm")
    if page.is_visible("#play"):
        page.wait_for_function("evenodds.run.done && (!evenodds.player.playing || evenodds.at > 5)")
        page.select_option("#unit", "operation")
        page.click("#step")
        page.wait_for_selector("#code mark")


@TAPES
def test_tapes_play_mistakes_and_say_what_needs_python(visit, static):
    page = visit("chapter=descent", base=static)
    page.click("#d-mistakes summary")
    page.check("#mistakes input[value=exp]")
    page.wait_for_selector("#alarm code")
    assert text_of(page, "#alarm code") == "np.exp(-z)"
    assert text_of(page, "#lesson .number b") == "0"
    page.uncheck("#mistakes input[value=exp]")
    for chapter in ("loss", "descent"):
        page.evaluate(f"location.hash = 'chapter={chapter}'")
        page.wait_for_selector(f"body[data-ready={chapter}]")
    page.fill("#lr", "1.7")  # 50: the nearest that was recorded is 40
    page.wait_for_function("evenodds.settings.lr === 40")
    page.evaluate("location.hash = 'chapter=own'")
    page.wait_for_selector("body[data-ready=own]")
    page.locator("#plane").click(position={"x": 30, "y": 200})
    page.wait_for_function("document.getElementById('alarm').textContent.includes('pip install evenodds')")


def test_without_the_key_the_page_says_what_to_do(browser, served):
    page = browser.new_page(bypass_csp=True)
    page.goto(served.origin)
    page.wait_for_selector("body[data-ready=no]")
    assert "the address that the terminal shows" in text_of(page, "#where")
    page.close()


def test_when_python_is_gone_the_page_says_so(browser):
    with server.open_port(0) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        page = browser.new_page(bypass_csp=True)
        page.goto(f"{serving.origin}/#chapter=descent&token={serving.token}")
        page.wait_for_selector("body[data-ready]")
        learnt(page)
        serving.shutdown()
        thread.join()
    page.route("**/call", lambda route: route.abort())  # connections that are open would be answered still
    page.fill("#lr", "0.5")
    page.wait_for_function("document.getElementById('alarm').textContent.includes('Python does not answer')")
    page.close()
