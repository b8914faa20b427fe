# The site in a container. `docker compose up -d` builds and starts it; docs/operating.md says more.
#
# PYTHON: where the image of Python comes from, such as your mirror's name for it. A mirror of Python's packages:
# --build-arg PIP_INDEX_URL=…
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ARG PIP_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
RUN python -m venv /opt/zhiye
COPY requirements.txt ./
RUN /opt/zhiye/bin/pip install --require-hashes -r requirements.txt
COPY . .
# Every package is there already, by its hash; then pip itself has nothing left to do.
RUN /opt/zhiye/bin/pip install --no-deps . \
 && /opt/zhiye/bin/pip uninstall --yes pip

FROM ${PYTHON}
# The owner's folder of settings and data: .env, agents.toml, instance/.
ENV PATH=/opt/zhiye/bin:$PATH ZHIYE_HOME=/data HOST=0.0.0.0 PORT=8000
RUN useradd --system --uid 10001 --user-group --no-create-home zhiye \
 && install -d -m 700 -o zhiye -g zhiye /data \
 && python -m pip uninstall --yes pip setuptools wheel
COPY --from=build /opt/zhiye /opt/zhiye
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
# gunicorn in its place gets Docker's SIGTERM, and gives running answers GRACE_S.
ENTRYPOINT ["zhiye"]
CMD ["run"]
