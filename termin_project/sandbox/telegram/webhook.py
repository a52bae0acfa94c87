"""Updates by webhook: one after another, and again until the address takes them."""

import requests

from termin_project.sandbox.telegram.world import TelegramWorld


def deliver_next(world: TelegramWorld, session: requests.Session) -> bool:
    """Send the oldest waiting update to the webhook, if one is set; true when it was taken.

    What the address answers besides 2xx, or that it does not answer, stands in `getWebhookInfo`.
    """
    with world.lock:
        url, secret = world.webhook.get("url", ""), world.webhook.get("secret_token", "")
        update = next(iter(world.waiting), None)
    if not url or update is None:
        return False
    headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
    body = {name: value for name, value in update.items() if name != "_at"}
    try:
        answer = session.post(url, json=body, headers=headers, timeout=10)
        failure = (
            "" if answer.ok else f"Wrong response from the webhook: {answer.status_code} {answer.reason}"
        )
    except requests.RequestException as error:
        failure = f"Connection failed: {type(error).__name__}"
    with world.lock:
        if failure:
            world.webhook.update(last_error_date=int(world.now().timestamp()), last_error_message=failure)
            return False
        world.confirm_delivered(update["update_id"])
        return True
