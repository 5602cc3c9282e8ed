FROM python:3.13-slim-trixie AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /venv
ENV PATH="/venv/bin:$PATH"
WORKDIR /src
# --group came with pip 25.1. What changes seldom stands first, so that its layers are used again.
RUN pip install "pip>=25.1"
COPY pyproject.toml ./
RUN pip install --group=example
COPY README.md LICENSE ./
COPY django_outbox django_outbox
# hadolint ignore=DL3013
RUN pip install ".[beat,fast,postgres]"


# One image for every process of both services.
FROM python:3.13-slim-trixie AS app
ENV PATH="/venv/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/app PYTHONUNBUFFERED=1
WORKDIR /app
COPY --from=build /venv /venv
COPY example_project example_project
COPY deploy/health.py deploy/
# In memory, because the settings make the folders that SQLite and Celery would use.
ARG EXAMPLE_DATA_DIR=/dev/shm
RUN for service in monolith catalog; do \
        EXAMPLE_STATIC_ROOT="/srv/static/$service" \
        python example_project/manage.py collectstatic --no-input --settings "example_project.settings.$service" \
        || exit 1; \
    done
RUN useradd --uid 10001 --create-home app
USER 10001


# The gateway carries the static files, so they are never older than the code they belong to.
FROM nginx:1.28 AS gateway
COPY deploy/nginx.conf /etc/nginx/nginx.conf
COPY --from=app /srv/static /srv/static
# The image's user "nginx".
USER 101
