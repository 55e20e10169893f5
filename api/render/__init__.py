"""Reports for readers: one self-contained HTML page from an Observation."""

from observer.observation import Observation


def render_html(
    observation: Observation,
    *,
    media: str | None,
    embedded_audio: bytes | None,
    language: str,
) -> str:
    """The page as a string (UTF-8 when written); see :func:`api.render.html.render_html`."""
    # Altair takes a second to import: only those who draw pay for it.
    from api.render.html import render_html as render

    return render(observation, media=media, embedded_audio=embedded_audio, language=language)
