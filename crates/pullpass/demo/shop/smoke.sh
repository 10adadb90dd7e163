#!/bin/sh
docker run --network host curlimages/curl:8.16.0 --fail http://localhost:8080/health
