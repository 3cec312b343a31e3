#!/bin/sh
# A Ray node that ends when it is of no use any more: ray-node --head …, ray-node --address=…
#
# `ray start --block` outlives its raylet when that ends by itself, as it does when the head has given the node up (a
# frozen machine, a network that was away). Whoever starts this again then gets a node that joins anew.
set -u

ray start --block "$@" &
node=$!
trap 'kill -TERM "$node" 2>/dev/null; wait "$node"; exit 143' TERM INT

patience=24 # looks without a raylet, five seconds apart: a busy machine takes its time to start one
while kill -0 "$node" 2>/dev/null; do
    if pgrep -P "$node" raylet >/dev/null; then
        patience=2
    else
        patience=$((patience - 1))
    fi
    if [ "$patience" -le 0 ]; then
        echo "ray-node: the raylet is gone" >&2
        kill -TERM "$node"
        wait "$node"
        exit 1
    fi
    sleep 5 &
    wait $! # a signal interrupts this, but not a sleep in the foreground
done
wait "$node"
