#!/bin/sh
# Brings the shop up and asks whether it is well.
set -eu
docker compose up --detach --wait
curl --fail http://localhost:8000/health
