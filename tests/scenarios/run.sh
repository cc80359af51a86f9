#!/bin/sh
# Play every scenario of this folder.
here=$(dirname "$0")
exec "${SCENARIO_RUN:-tests/scenarios/run}" "$here"/*.scn
