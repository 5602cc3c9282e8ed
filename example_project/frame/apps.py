from django.apps import AppConfig


class FrameConfig(AppConfig):
    name = "example_project.frame"
    label = "frame"
    verbose_name = "Frame"

    def ready(self) -> None:
        from .live import follow

        follow()
