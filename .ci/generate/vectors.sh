#!/usr/bin/env bash
# tests/vectors/*-v1.json and the worked examples in docs/spec.
cargo test --locked -p holdfast-tests --test vectors -- --ignored
