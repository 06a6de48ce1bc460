"""Windows: a toast, made by PowerShell, which reads the words as data and not as a part of the script."""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Mapping, Sequence

NEEDED = "it needs a desktop session and Windows PowerShell"

#: A toast belongs to a program that the start menu knows; PowerShell is one, and this is its id.
_APP = r"{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\WindowsPowerShell\v1.0\powershell.exe"
_SCRIPT = """
$ErrorActionPreference = 'Stop'
function Words($text) {{ [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($text)) }}
[Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime] | Out-Null
[Windows.UI.Notifications.ToastNotification, Windows.UI.Notifications, ContentType = WindowsRuntime] | Out-Null
$toast = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent(
    [Windows.UI.Notifications.ToastTemplateType]::ToastText02)
$lines = $toast.GetElementsByTagName('text')
$lines.Item(0).AppendChild($toast.CreateTextNode((Words '{title}'))) | Out-Null
$lines.Item(1).AppendChild($toast.CreateTextNode((Words '{text}'))) | Out-Null
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier('{app}').Show(
    [Windows.UI.Notifications.ToastNotification]::new($toast))
"""


def program(title: str, text: str, environ: Mapping[str, str] = os.environ) -> Sequence[str] | None:
    """Return the command that shows these words; None where the program is missing."""
    found = shutil.which("powershell", path=environ.get("PATH"))
    if found is None:
        return None
    script = _SCRIPT.format(title=_plain(title), text=_plain(text), app=_APP)
    encoded = base64.b64encode(script.encode("utf-16-le")).decode("ascii")
    return (found, "-NoProfile", "-NonInteractive", "-EncodedCommand", encoded)


def _plain(words: str) -> str:
    return base64.b64encode(words.encode("utf-8", "replace")).decode("ascii")
