"""Settings: the environment in, plain values out. Every one has a default that works on an empty machine.

`.env` beside this project is read first, then `var/secrets.env` (made at the first start); what is
already in the environment wins over both.
"""

from importlib.util import find_spec
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from termin_project.local_secrets import ensure_local_secrets

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
env.read_env(BASE_DIR / ".env")

# Where everything lives that a backup must hold: database, generated keys, the simulators' state.
VAR_DIR = Path(env.str("VAR_DIR", default=str(BASE_DIR / "var")))
VAR_DIR.mkdir(parents=True, exist_ok=True)
if (VAR_DIR / "secrets.env").exists():
    env.read_env(VAR_DIR / "secrets.env")

VERSION = "0.1.0"

# --- What is real and what is simulated ------------------------------------------------------------

HOST = env.str("HOST", default="127.0.0.1")
PORT = env.int("PORT", default=8000)
# Where people's browsers reach the web process; links in messages and mails start with it.
PUBLIC_URL = env.str("PUBLIC_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")

TELEGRAM_BOT_TOKEN = env.str("TELEGRAM_BOT_TOKEN", default="")
# Base of the city's API without a trailing slash, such as https://HOST/buergeransicht/api/citizen
MUNICH_API_URL = env.str("MUNICH_API_URL", default="").rstrip("/")

# On by default as long as something is not configured; what is not configured is simulated.
SANDBOX = env.bool("SANDBOX", default=not (TELEGRAM_BOT_TOKEN and MUNICH_API_URL))
SIMULATED_TELEGRAM = SANDBOX and not TELEGRAM_BOT_TOKEN
SIMULATED_CITY = SANDBOX and not MUNICH_API_URL
if not SANDBOX:
    for _name, _value, _how in (
        ("TELEGRAM_BOT_TOKEN", TELEGRAM_BOT_TOKEN, "ask @BotFather in Telegram for a bot and copy its token"),
        ("MUNICH_API_URL", MUNICH_API_URL, "the base of the city's API, ending in /api/citizen"),
    ):
        if not _value:
            raise ImproperlyConfigured(
                f"SANDBOX=0 needs {_name}: {_how}. Or leave SANDBOX out to simulate it."
            )

# The simulators' own process, reached on loopback only.
SANDBOX_PORT = env.int("SANDBOX_PORT", default=PORT + 10000 if PORT <= 55535 else PORT - 10000)
SANDBOX_URL = f"http://127.0.0.1:{SANDBOX_PORT}"
SANDBOX_STATE_DIR = Path(env.str("SANDBOX_STATE_DIR", default=str(VAR_DIR / "sandbox")))

if SIMULATED_TELEGRAM:
    TELEGRAM_BOT_TOKEN = "1:sandbox"
    TELEGRAM_API_URL = f"{SANDBOX_URL}/bot"
else:
    # Base up to and including "/bot"; another value serves a local Bot API server.
    TELEGRAM_API_URL = env.str("TELEGRAM_API_URL", default="https://api.telegram.org/bot").rstrip("/")
if SIMULATED_CITY:
    MUNICH_API_URL = f"{SANDBOX_URL}/city/api/citizen"

# off: never; human: only people solve; auto: we compute the proof of work. Chosen knowingly for the
# real city (its captcha is there against bots), so the default there is the cautious one.
CAPTCHA_MODE = env.str("CAPTCHA_MODE", default="auto" if SIMULATED_CITY else "human")
if CAPTCHA_MODE not in ("off", "human", "auto"):
    raise ImproperlyConfigured("CAPTCHA_MODE must be off, human or auto.")

# Whether `auto` also solves Friendly Captcha, which older installations of the city's system use. Its vendor refuses
# automation in its own widget, so this is off unless the operator decides otherwise: people then get a button to the
# city's own page. On, puzzles are fetched from the host that the city's details name.
CAPTCHA_FRIENDLY = env.bool("CAPTCHA_FRIENDLY", default=False)

# Who runs this service: told to people at /start and to the city in the User-Agent.
OPERATOR_NAME = env.str("OPERATOR_NAME", default="")
OPERATOR_CONTACT = env.str("OPERATOR_CONTACT", default="")
CITY_USER_AGENT = f"MunichTerminAutomator/{VERSION} (+{OPERATOR_CONTACT or 'self-hosted'})"
# The page of the city where a person can book or change an appointment by hand.
CITY_BOOKING_PAGE = env.str(
    "CITY_BOOKING_PAGE", default="https://stadt.muenchen.de/buergerservice/terminvereinbarung.html"
)

# The city's telephone, named where it may be faster than waiting. 115 is the number of all German authorities,
# answered by Munich's own service centre on working days from 8 to 18.
CITY_HOTLINE = env.str("CITY_HOTLINE", default="115")

# --- Secrets ----------------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
if not (env.str("DJANGO_SECRET_KEY", default="") and env.str("FIELD_ENCRYPTION_KEYS", default="")):
    if not (SIMULATED_TELEGRAM or SIMULATED_CITY):
        raise ImproperlyConfigured(
            "DJANGO_SECRET_KEY and FIELD_ENCRYPTION_KEYS are not set. Set them in the environment, or let "
            "this machine make its own and keep them: python -m termin_project.local_secrets var/secrets.env"
        )
    env.read_env(ensure_local_secrets(VAR_DIR / "secrets.env"))
SECRET_KEY = env.str("DJANGO_SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("DJANGO_SECRET_KEY_FALLBACKS", default=[])
# Fernet keys, newest first: the first encrypts, all of them decrypt.
FIELD_ENCRYPTION_KEYS = env.list("FIELD_ENCRYPTION_KEYS")
# Lets a Prometheus without a staff session read /metrics ("Authorization: Bearer ..."); empty: staff only.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# --- Web ----------------------------------------------------------------------------------------------

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
HTTPS = PUBLIC_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
)
SECURE_SSL_REDIRECT = HTTPS and env.bool("HTTPS_REDIRECT", default=True)
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Our own pages carry no inline script or style. The admin theme does (Alpine.js), so it is left out.
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ("/admin/",),
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "manifest-src": ["'self'"],
    },
}

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_q",
    "django_ratelimit",
    "csp",
    "captcha.apps.CaptchaConfig",
    "appointments.apps.AppointmentsConfig",
    "bot.apps.BotConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "termin_project.urls"
WSGI_APPLICATION = "termin_project.wsgi.application"
LOGIN_URL = reverse_lazy("admin:login")
CSRF_FAILURE_VIEW = "appointments.views.csrf_failure"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "termin_project.context.practice",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

STATIC_URL = "static/"
# The official ALTCHA widget is served from where pip put it. Its Django app (forms, checks, a replay cache) is not
# installed: we show the city's challenges, none of our own.
_ALTCHA = find_spec("altcha_django")
STATICFILES_DIRS = [
    BASE_DIR / "termin_project" / "static",
    *([Path(_ALTCHA.origin).parent / "static"] if _ALTCHA and _ALTCHA.origin else []),
]
STATIC_ROOT = VAR_DIR / "static"
STATIC_ROOT.mkdir(exist_ok=True)
# whitenoise serves straight from the apps' folders: nothing to collect on a small computer.
WHITENOISE_USE_FINDERS = True
# File names carry no hash: a short age, so that an upgrade is seen soon.
WHITENOISE_MAX_AGE = 60

# --- Storage -----------------------------------------------------------------------------------------

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{VAR_DIR / 'db.sqlite3'}")}
SQLITE = DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3"
# A queue operation on a fresh connection costs several times the operation itself.
DATABASES["default"]["CONN_MAX_AGE"] = 60
if SQLITE:
    # IMMEDIATE cures "database is locked" (a deferred read that turns into a write fails at once, whatever
    # the time-out); WAL with NORMAL gives the speed: no fsync per commit, never a corrupt file.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL",
    }
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
    # Django's own Redis cache is shared and counts atomically; django-ratelimit merely does not list it.
    SILENCED_SYSTEM_CHECKS = ["django_ratelimit.W001"]
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    # django-ratelimit asks for a cache shared by processes. Without Redis there is exactly one web process,
    # and only that process limits requests, so its own memory is the shared cache.
    SILENCED_SYSTEM_CHECKS = ["django_ratelimit.E003", "django_ratelimit.W001"]
# Behind a proxy all connections come from the proxy; one limit for everybody would lock staff out.
RATELIMIT_IP_META_KEY = "termin_project.client_address.client_address"

# --- Queues ------------------------------------------------------------------------------------------

BOOKING_WORKERS = env.int("BOOKING_WORKERS", default=2)
# On a small computer messages are sent by a worker of the booking cluster, which saves a set of processes.
NOTIFY_QUEUE = env.str("NOTIFY_QUEUE", default="booking" if SQLITE else "notify")
if NOTIFY_QUEUE not in ("booking", "notify"):
    raise ImproperlyConfigured("NOTIFY_QUEUE must be booking or notify.")
_QUEUE = {
    "orm": "default",
    "broker_class": "appointments.broker.BellBroker",  # a task starts at once; `poll` is the fallback
    "save_limit": -1,  # keep failures only: the domain writes its own history
    "bulk": 1,
    "guard_cycle": 0.5,
    "timeout": 60,
    "retry": 240,  # more than three times the time-out: a task waits prefetched with its lock running
    "max_attempts": 1,
    "ack_failures": True,  # leases and sweeps repeat work, the queue does not
    "catch_up": False,
    "label": _("Queue"),
}
_BOOKING = {
    # One more where messages are sent from here: the sender keeps a worker for itself.
    "workers": BOOKING_WORKERS + (1 if NOTIFY_QUEUE == "booking" else 0),
    "queue_limit": BOOKING_WORKERS + 1,
    # On one computer the bell wakes the queue; with several, half of this is a reservation's typical wait.
    "poll": 0.1 if SQLITE else 0.05,
}
Q_CLUSTER = {
    **_QUEUE,
    **_BOOKING,
    "name": "booking",
    "ALT_CLUSTERS": {
        "booking": {**_BOOKING},
        "polling": {"workers": 1, "queue_limit": 1, "poll": 0.2},
        "notify": {"workers": 1, "queue_limit": 1, "poll": 0.1},
    },
}
QUEUES = ("booking", "polling") if NOTIFY_QUEUE == "booking" else ("booking", "polling", "notify")

# --- Holding and keeping ---------------------------------------------------------------------------------

# How long people may think about a held slot, in seconds; 0: as long as the city holds it, less a margin.
HOLD_SECONDS = env.int("HOLD_SECONDS", default=0)
# One person may have so many slots held in a day, whatever becomes of them.
HOLDS_PER_DAY = env.int("HOLDS_PER_DAY", default=6)
# After so many holds let go (no answer, given back, mail never opened) nothing is held for a person for a while.
UNKEPT_HOLDS = env.int("UNKEPT_HOLDS", default=3)
# Messages and sightings are removed after so many days.
KEEP_DAYS = env.int("KEEP_DAYS", default=90)

# --- The domain's outward reach --------------------------------------------------------------------------

NOTIFICATION_CHANNELS = {"telegram": "bot.channel.TelegramChannel"}
# Names this computer's address towards the city; hosts behind one address share one name.
EGRESS_NAME = env.str("EGRESS_NAME", default="default")
# Requests to the city on one day after which watching stops until midnight; bookings go on. 0: no such limit.
CITY_DAILY_QUOTA = env.int("CITY_DAILY_QUOTA", default=40_000)

# --- Staff alerts ----------------------------------------------------------------------------------------

# Telegram chat that hears when something stays bad: the number of a chat that has said /start to the bot.
STAFF_CHAT = env.int("STAFF_CHAT", default=0)
# Who stands behind that number; the domain does not know Telegram.
STAFF_SUBSCRIBER = "bot.chats.staff_subscriber"
# Without a staff chat alerts go by e-mail to these addresses, through EMAIL_URL (smtp://user:password@host:587).
ADMINS = [("Staff", address) for address in env.list("ADMIN_EMAILS", default=[])]
if env.str("EMAIL_URL", default=""):
    vars().update(env.email_url("EMAIL_URL"))
EMAIL_TIMEOUT = 10
SERVER_EMAIL = DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="termin-automator@localhost")

# How captchas reach the city: made where settings become objects, named here because imports point one way.
CAPTCHA_TRANSPORT = "appointments.wiring.captcha_transport"
CAPTCHA_SITE = "appointments.wiring.captcha_site"

# --- Language and time -----------------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("de", "Deutsch"), ("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = "termin_project.formats"  # 24-hour clock in every language
TIME_ZONE = "Europe/Berlin"  # what people read; the database holds UTC

# --- Logs --------------------------------------------------------------------------------------------------

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"private": {"()": "termin_project.logs.PrivateDataFilter"}},
    "formatters": {"line": {"()": "termin_project.logs.LineFormatter"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["private"]},
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "httpx": {"level": "WARNING"},  # its request lines carry the bot's token
        "django-q": {"handlers": ["console"], "level": "WARNING", "propagate": False},
    },
}

# --- Admin theme ---------------------------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "Munich Termin Automator",
    "SITE_HEADER": "Munich Termin Automator",
    "SITE_SUBHEADER": _("Staff"),
    "SITE_SYMBOL": "event_available",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": f"/{STATIC_URL}appointments/img/mark.svg"}
    ],
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_BACK_BUTTON": True,
    "SITE_URL": reverse_lazy("appointments:dashboard"),
    "ENVIRONMENT": "appointments.admin.navigation.environment",
    "SIDEBAR": {"show_search": True, "navigation": "appointments.admin.navigation.sidebar"},
    # The blue of the public pages.
    "COLORS": {
        "primary": {
            "50": "#f0f7fe",
            "100": "#e3f0fc",
            "200": "#c3dff8",
            "300": "#96c8f3",
            "400": "#6db6f7",
            "500": "#2f86d6",
            "600": "#0b63b0",
            "700": "#0a5290",
            "800": "#0d4476",
            "900": "#113a62",
            "950": "#0b2541",
        },
    },
}
