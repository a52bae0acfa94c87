"""The page in a real browser against the simulated city: the official widget solves, nothing breaks the policy."""

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings as config
from django.utils import timezone

from bench.server import Simulators
from captcha import human
from captcha.models import CaptchaToken
from tests.captcha.pages import SITE, CityAddress, init_data

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
# A folder to keep what the page looks like, for whoever works on it.
PICTURES = os.environ.get("SCREENSHOTS", "")
ADA = 4711


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("no chromium with chromedriver on this computer (Debian: chromium, chromium-driver)")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=420,860",
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=DRIVER))
    driver.set_page_load_timeout(40)
    yield driver
    driver.quit()


@pytest.fixture
def city(settings: Any, live_server: Any) -> Iterator[Simulators]:
    settings.CAPTCHA_TRANSPORT = "tests.captcha.pages.transport"
    settings.PUBLIC_URL = live_server.url
    settings.ALLOWED_HOSTS = ["*"]
    with Simulators(0) as simulators:
        CityAddress.url = f"http://127.0.0.1:{simulators.port}/city/api/citizen"
        simulators.city.captcha.ladder = ((1, 20),)
        yield simulators


def page(owner: int = ADA, *, language: str = "en", launch: str | None = None, **options: Any) -> str:
    """The address of a Mini App as Telegram opens it."""
    now = timezone.now()
    ticket = human.issue_ticket(SITE, f"telegram:{owner}", language=language, now=now, **options)
    launch = init_data(ADA, config.TELEGRAM_BOT_TOKEN, now) if launch is None else launch
    return f"{human.page_address(ticket)}#tgWebAppData={quote(launch)}&tgWebAppVersion=9.1"


def status(browser: Any, words: str) -> str:
    """What the page says, as soon as it contains `words`."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    def says(driver: Any) -> bool:
        return words in driver.find_element(By.CSS_SELECTOR, "[data-status]").text

    WebDriverWait(browser, 30).until(says, f"the page does not say {words!r}")
    return str(browser.find_element(By.CSS_SELECTOR, "[data-status]").text)


def tick_the_box(browser: Any) -> None:
    """What a person does who came by a link; a press in Telegram is enough there."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import WebDriverWait

    label = "altcha-widget label"
    WebDriverWait(browser, 30).until(lambda driver: driver.find_elements(By.CSS_SELECTOR, label))
    picture(browser, "to-solve")
    browser.find_element(By.CSS_SELECTOR, label).click()


def complaints(browser: Any) -> list[str]:
    """What the console holds against the page, but for answers that are meant to be refusals."""
    return [
        line["message"]
        for line in browser.get_log("browser")
        if line["level"] in ("SEVERE", "WARNING") and "status of 4" not in line["message"]
    ]


def picture(browser: Any, name: str) -> None:
    if PICTURES:
        browser.save_screenshot(str(Path(PICTURES) / f"{name}.png"))


@pytest.mark.parametrize("version", [2, 1])
def test_the_official_widget_solves_the_citys_challenge(browser: Any, city: Simulators, version: int) -> None:
    city.city.captcha.version = version
    browser.get(page())

    assert status(browser, "are watched until")
    picture(browser, f"solved-v{version}")
    row = CaptchaToken.objects.get(site=SITE)
    assert (row.state, row.source) == ("valid", "human")
    assert complaints(browser) == []


def test_by_a_link_one_ticks_the_box(browser: Any, city: Simulators) -> None:
    browser.get(page(needs_proof=False, launch=""))

    tick_the_box(browser)

    assert status(browser, "are watched until")
    assert complaints(browser) == []


def test_the_page_speaks_german_in_the_dark(browser: Any, city: Simulators) -> None:
    dark = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    browser.get(page(language="de"))

    assert "beobachte" in status(browser, "Vielen Dank").lower()
    picture(browser, "dark-german")
    assert complaints(browser) == []


def test_a_used_ticket_somebody_else_and_old_launch_data_are_refused(browser: Any, city: Simulators) -> None:
    now = timezone.now()
    old = init_data(ADA, config.TELEGRAM_BOT_TOKEN, now - timedelta(minutes=61))
    for address in (page(owner=666), page(launch=old)):
        browser.get("about:blank")
        browser.get(address)
        assert "made for somebody else" in status(browser, "somebody else")
    picture(browser, "refused")
    used = page()
    browser.get("about:blank")
    browser.get(used)
    status(browser, "are watched until")

    browser.get("about:blank")
    browser.get(used)

    assert "used already" in browser.find_element("tag name", "main").text
    picture(browser, "used")
    assert sum("challenge" in request.path for request in city.city.requests) == 1


def test_keep_watching_leads_to_a_fresh_page_that_knows_its_visitor(browser: Any, city: Simulators) -> None:
    browser.set_window_size(1200, 800)
    browser.get(page())
    status(browser, "are watched until")
    picture(browser, "desktop")
    before = browser.current_url
    CaptchaToken.objects.update(expires_at=timezone.now() + timedelta(seconds=30), stale_at=timezone.now())

    browser.find_element("css selector", "[data-again]").click()

    assert status(browser, "are watched until")
    assert browser.current_url.split("#")[0] != before.split("#")[0]
    assert complaints(browser) == []
