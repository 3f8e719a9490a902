"""Settings of a messaging service that a test starts, by the names of their fields alone."""

from __future__ import annotations

import dataclasses
from typing import Any, get_type_hints

from messaging_service.wiring.settings.messaging_settings import MessagingSettings
from service_kit.settings import Address


def messaging_settings(**choices: Any) -> MessagingSettings:
    """Defaults but for what is chosen, in whatever group it is: no name is in two of them."""
    groups = {name: kind for name, kind in get_type_hints(MessagingSettings).items() if dataclasses.is_dataclass(kind)}
    own: dict[str, Any] = {}
    for name, kind in groups.items():
        if kind is Address:
            continue
        fields = {field.name for field in dataclasses.fields(kind)}
        own[name] = kind(**{field: choices.pop(field) for field in fields & choices.keys()})  # type: ignore[operator]
    return MessagingSettings(**own, **choices)
