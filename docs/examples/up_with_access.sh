#!/bin/sh
# Runs the whole system on this machine as others would reach it: over TLS, with a credential required of every caller.
# Makes the tokens of the services and of an operator, and a file of identities that knows them, on the first run.
# Then, in another terminal: . .tukupay/access/operator.env
set -eu
folder="${TUKUPAY_HOME:-.tukupay}/access"
if [ ! -e "$folder/identities.toml" ]; then
  umask 077
  mkdir -p "$folder"
  new() { # name, kind, scopes: the token into a file of its own, its entry behind the others
    name=$1 kind=$2
    shift 2
    tukupay-sms tokens create "$name" --kind "$kind" "$@" > "$folder/made"
    head -1 "$folder/made" > "$folder/$name.token"
    tail -n +2 "$folder/made" >> "$folder/identities.new"
    rm "$folder/made"
  }
  : > "$folder/identities.new"
  new gateway workload --scope assert:principal --scope keys:resolve --scope callbacks:write
  new messaging workload --scope prices:read
  new operator operator --scope '*'
  echo "export TUKUPAY_TOKEN_FILE='$folder/operator.token'" > "$folder/operator.env"
  mv "$folder/identities.new" "$folder/identities.toml"
fi
export GATEWAY_ACCESS=required MESSAGING_ACCESS=required PRICING_ACCESS=required
export MESSAGING_IDENTITIES_FILE="$folder/identities.toml" PRICING_IDENTITIES_FILE="$folder/identities.toml"
export GATEWAY_SERVICE_TOKEN_FILE="$folder/gateway.token" MESSAGING_SERVICE_TOKEN_FILE="$folder/messaging.token"
export TUKUPAY_TOKEN_FILE="$folder/operator.token"
exec tukupay-sms up --tls
