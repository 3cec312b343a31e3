#!/bin/sh
# A Ray node that ends when it is of no use any more: ray-node --head …, ray-node --address=…
#
# `ray start --block` outlives its raylet when that ends by itself, as it does when the head has given the node up (a
# frozen machine, a network that was away). Whoever starts this again then gets a node that joins anew.
set -u

# The processes that a process started, and those that these did.
below() {
    for child in $(pgrep -P "$1"); do
        echo "$child"
        below "$child"
    done
}

# The drivers of searches on this node.
searches() {
    for process in $(below "$node"); do
        if tr '\0' ' ' 2>/dev/null < "/proc/$process/cmdline" | grep -q '/nas .*search '; then echo "$process"; fi
    done
}

# Searches first, as by `nas stop`: each lets its trials end and MLflow be told. Ray would take their workers from them.
# How long they have is up to whoever stops this.
stop() {
    trap '' TERM INT
    for search in $(searches); do kill -TERM "$search"; done
    while [ -n "$(searches)" ]; do sleep 0.2; done
    kill -TERM "$node" 2>/dev/null
    wait "$node"
    exit 143
}

ray start --block "$@" &
node=$!
trap stop TERM INT

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
