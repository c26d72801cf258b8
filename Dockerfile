# The server with its PostgreSQL driver, in an image that runs without root: docs/deployment.md.
# The base image is pinned by tag, not by digest: CONTRIBUTING.md, "Pin the images".
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-trixie AS build
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /source
COPY . .
# Every downloaded file must match a hash in requirements/.
RUN python -m venv /opt/build && /opt/build/bin/python -m pip install --require-hashes \
    --only-binary :all: --requirement requirements/build.txt
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .
RUN python -m venv --without-pip /opt/xcom && python -m pip --python /opt/xcom/bin/python install \
    --require-hashes --only-binary :all: --requirement requirements/serve.txt
RUN python -m pip --python /opt/xcom/bin/python install --no-index --no-deps /wheels/*.whl

FROM python:${PYTHON}-slim-trixie
COPY --from=build /opt/xcom /opt/xcom
# A new named volume gets the owner of the first folder. Seed files that are mounted in the second one
# are loaded into an empty database.
RUN install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/xcom \
    && install --directory /seed
WORKDIR /var/lib/xcom
USER 10001:10001

# gunicorn's heartbeat files are in /dev/shm, which is in memory and is writable even if the root
# file system is read-only.
# On other addresses than loopback the server requires users; `user add` writes them to the volume.
# The linter mistakes the name of the token key file for a secret.
# hadolint ignore=DL3064
ENV PATH=/opt/xcom/bin:$PATH \
    TMPDIR=/dev/shm \
    XCOM_BIND=[::]:8080 \
    XCOM_AUTH=users \
    XCOM_USERS_FILE=/var/lib/xcom/users.json \
    XCOM_TOKEN_KEY_FILE=/var/lib/xcom/token.key \
    XCOM_DATABASE_URL=sqlite:////var/lib/xcom/xcom.db \
    XCOM_SEED=/seed
EXPOSE 8080
STOPSIGNAL SIGTERM

# /live, not /ready: replacing an unhealthy container does not repair a database.
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s --retries=3 \
    CMD ["xcom-server", "health"]
ENTRYPOINT ["xcom-server"]
CMD ["serve"]
