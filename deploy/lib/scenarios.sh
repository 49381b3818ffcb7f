# shellcheck shell=bash
# The scenarios of the demonstration, on a shop that runs. To be sourced after story.sh; needs $bin, $mail_url,
# $sandbox_url, $order_url, $inventory_url, $coupon_url, $points_url, $shipping_url, $notification_operations_port, `has_service` and the environment of the
# `warren` command.
# shellcheck disable=SC2154 # The script that sources this sets them.

# place METHOD: places an order paid like that; its id is in $order.
place() {
    warren order place --email ada@example.com --name 'Ada Lovelace' --sku tea-500 --quantity 2 --price 1250 \
        --payment-method "$1"
    order=$(in_answer .id)
    done_well "order $order is $(in_answer .status)"
}

# reach STATUS: waits until the order has come to it.
reach() {
    local began
    began=$(now_milliseconds)
    warren wait order "$order" --for "$1" --timeout 2m
    done_well "it is $1 ($(seconds_since "$began") s)"
}

mails() { curl --silent --fail --max-time 30 "$mail_url/api/v1/messages"; }

# How many mails have a subject with both words.
count_mails() {
    mails | jq --arg first "$1" --arg second "$2" \
        '[.messages[] | select((.Subject | contains($first)) and (.Subject | contains($second)))] | length'
}

has_mail() { [ "$(count_mails "$1" "$2")" -ge 1 ]; }

# expect_mail WORD: waits for a mail about the order that says so, and shows it.
expect_mail() {
    current_step="a mail that says: $1"
    wait_until 120 has_mail "$order" "$1" || fail "there is no mail about order $order that says: $1"
    mails | jq -r --arg order "$order" --arg word "$1" '
        [.messages[] | select((.Subject | contains($order)) and (.Subject | contains($word)))][0]
        | "mail to \(.To[0].Address): \(.Subject)"' | while IFS= read -r line; do done_well "$line"; done
}

# metric NAME: a counter of Notification.
metric() {
    curl --silent --fail --max-time 30 "http://127.0.0.1:$notification_operations_port/metrics" |
        awk -v name="$1" 'index($1, name) == 1 { total += $2 } END { print total + 0 }'
}

# ask METHOD URL JSON: shows the request, sends it, and keeps its answer in $answer.
ask() {
    show_command curl -X "$1" "$2" -H 'Content-Type: application/json' -d "$3"
    answer=$(curl --silent --show-error --fail --max-time 30 -X "$1" "$2" -H 'Content-Type: application/json' -d "$3")
}

# stock SKU NAME PRICE PIECES: lists a product and puts pieces of it there.
stock() {
    current_step="product $1"
    ask PUT "$inventory_url/products/$1" "{\"name\": \"$2\", \"price\": {\"amount\": $3, \"currency\": \"EUR\"}}"
    ask POST "$inventory_url/products/$1/stock" "{\"change\": $4}"
}

# Whether Order has heard of a product: one that it knows has another price (409), and nothing is placed.
order_knows() {
    [ "$(curl --silent --max-time 30 -o /dev/null -w '%{http_code}' "$order_url/orders" -H 'Content-Type: application/json' -d '{
        "customer": {"email": "ada@example.com", "name": "Ada"}, "currency": "EUR", "paymentMethod": "pm_card_visa",
        "lines": [{"sku": "'"$1"'", "quantity": 1, "unitPrice": 1}]}')" = 409 ]
}

stock_products() {
    heading 'Products'
    note 'Inventory says what there is; Order copies names and prices from its events, without a queue.'
    stock tea-500 'Assam, 500 g' 1250 100
    # What `warren trigger` and `warren order place` order where they are not told otherwise.
    stock book-1 'A book' 1999 100
    stock kettle-1 'The last kettle' 4900 1
    expect 'Order knows all three' 120 order_knows kettle-1
}

scenario_happy() {
    heading '1. An order that goes well'
    if has_service inventory; then
        note 'Order stores it, Inventory reserves its pieces, Payment charges the card, Order confirms, Notification mails.'
    else
        note 'Order stores it, Payment charges the card, Order confirms, Notification mails.'
    fi
    place pm_card_visa
    reach confirmed
    first_confirmed=$(seconds_since "$started_at")
    expect_mail 'is confirmed'
}

scenario_declined() {
    heading '2. A card that is declined'
    place pm_card_chargeDeclinedInsufficientFunds
    reach rejected
    done_well "the provider says: $(in_answer .payment.reason)"
    expect_mail 'could not be accepted'
}

scenario_cancelled() {
    heading '3. A paid order is cancelled and the money goes back'
    place pm_card_visa
    reach confirmed
    warren order cancel "$order"
    done_well "it is $(in_answer .status)"
    reach refunded
    expect_mail 'is cancelled'
    expect_mail 'is refunded'
    has_service analytics || return 0
    current_step='what the data platform has heard'
    wait_until 120 platform_has_heard confirmed cancelled refunded || fail "the data platform has not heard all of order $order"
    done_well 'the data platform has heard of all three: Analytics reads them by the event API, without a queue'
}

# platform_has_heard MOMENT…: whether the data platform has just these records of the order, in this order.
platform_has_heard() {
    curl --silent --fail --max-time 30 "$sandbox_url/sandbox/records" | jq -e --arg order "$order" --arg moments "$*" '
        [.records[].record | select(.orderID == $order) | .type | split(".") | last] | join(" ") == $moments' >/dev/null
}

scenario_unsure() {
    heading '4. The provider charges and then does not answer'
    note 'Unknown is not failed: Payment hears of the charge by webhook, or asks again under the same key, whichever is first.'
    place pm_sandbox_timeout_once
    reach confirmed
    current_step='the ledger of the provider'
    charges=$(curl --silent --fail "$sandbox_url/sandbox/ledger" | jq --arg order "$order" '.chargesByOrder[$order]')
    [ "$charges" = 1 ] || fail "the provider charged $charges times"
    done_well 'the provider charged once'
    # Before the mail server refuses mail in a scenario below.
    expect_mail 'is confirmed'
}

saw_duplicate() { [ "$(metric warren_duplicate_deliveries_total)" -gt "$duplicates_before" ]; }

scenario_duplicate() {
    local id
    heading '5. The same event comes twice'
    id=$(cat /proc/sys/kernel/random/uuid)
    order=duplicate-$RANDOM
    duplicates_before=$(metric warren_duplicate_deliveries_total)
    warren publish order.confirmed --subject "$order" --id "$id"
    expect_mail 'is confirmed'
    warren publish order.confirmed --subject "$order" --id "$id"
    expect 'Notification knows the second one and does nothing' 120 saw_duplicate
    [ "$(count_mails "$order" 'is confirmed')" = 1 ] || fail 'there is more than one mail'
    done_well 'there is one mail'
}

# The dead letter about the order, as `service-number`, in $letter.
find_dead_letter() {
    letter=$("$bin/warren" dead-letters list --service notification --subject "$order" --output json | jq -er '.[0].id')
}

refuse_mail() {
    show_command curl -X PUT "$mail_url/api/v1/chaos" -d "$1"
    curl --silent --fail --max-time 30 -X PUT "$mail_url/api/v1/chaos" -d "$1" >/dev/null
}

scenario_dead_letter() {
    heading '6. A message that cannot be handled, until its cause is mended'
    note 'The mail server refuses every recipient for a while. Notification tries three times and gives up.'
    refuse_mail '{"Recipient": {"ErrorCode": 451, "Probability": 100}}'
    place pm_card_visa
    reach confirmed
    expect 'its mail is a dead letter' 120 find_dead_letter
    show_command warren dead-letters show "$letter"
    "$bin/warren" dead-letters show "$letter" | indent
    note 'The mail server takes mail again, and the dead letter is tried once more.'
    refuse_mail '{}'
    warren dead-letters retry "$letter" --reason 'the mail server takes mail again'
    expect_mail 'is confirmed'
}

scenario_malformed() {
    heading '7. A message that no handler can read'
    note 'It goes to the dead letters at once: no retry could help. An operator decides what becomes of it.'
    order=malformed-$RANDOM
    warren publish order.refunded --subject "$order" --force --data '{"poison": true}'
    expect 'it is a dead letter' 120 find_dead_letter
    current_step="the error of dead letter $letter"
    done_well "because: $("$bin/warren" dead-letters show "$letter" --output json | jq -er '"\(.errorClass): \(.error)"')"
    warren dead-letters discard "$letter" --reason 'a test message'
    done_well 'it is discarded, and the audit keeps why'
}

# buy_kettle NAME METHOD: orders the last kettle; the order is in $order.
buy_kettle() {
    warren order place --email "${1,,}@example.com" --name "$1" --sku kettle-1 --price 4900 --payment-method "$2"
    order=$(in_answer .id)
    done_well "$1's order $order is $(in_answer .status)"
}

# reservation_is STATE: whether Inventory's reservation for the order is in that state.
reservation_is() {
    [ "$(curl --silent --fail --max-time 30 "$inventory_url/reservations/$order" | jq -r .state)" = "$1" ]
}

# webhooks ACTION: whether the provider tells what it did at once (release) or not yet (hold).
webhooks() {
    curl --silent --fail --max-time 30 -o /dev/null "$sandbox_url/sandbox/webhooks" -H 'Content-Type: application/json' -d '{"action": "'"$1"'"}'
}

scenario_last_piece() {
    local first
    heading '8. Two customers and the last piece'
    note 'There is one kettle. It is kept for Ada while her bank takes its time; Bob waits a second, in case she does not pay.'
    webhooks hold
    buy_kettle Ada pm_sandbox_timeout_once
    first=$order
    expect 'the kettle is reserved for her' 120 reservation_is held
    buy_kettle Bob pm_card_visa
    reach rejected
    current_step="why order $order was rejected"
    show_command curl -s "$inventory_url/reservations/$order"
    done_well "because: $(curl --silent --fail --max-time 30 "$inventory_url/reservations/$order" | jq -er .reason)"
    expect_mail 'could not be accepted'
    done_well "Bob's payment is $(in_answer .payment.status): nothing was charged"
    webhooks release
    order=$first
    reach confirmed
    done_well "Ada has it: its stock is $(in_answer .stockStatus)"
    expect_mail 'is confirmed'
}

# claim_coupon: Ada claims a coupon of ten percent; its id is in $coupon.
claim_coupon() {
    current_step='a coupon for Ada'
    ask POST "$coupon_url/coupons/definitions/ten-percent/claims" '{"customer": "ada"}'
    coupon=$(in_answer .id)
}

# buy_with_everything POINTS FIELDS: Ada orders two of tea-500 for 25.00 EUR with the coupon and so many points; the order is in $order.
buy_with_everything() {
    current_step='an order with a coupon and points'
    ask POST "$order_url/orders" '{"customer": {"id": "ada", "email": "ada@example.com", "name": "Ada Lovelace"}, "currency": "EUR",
      "lines": [{"sku": "tea-500", "quantity": 2}], "paymentMethod": "pm_card_visa", "coupon": "'"$coupon"'", "points": '"$1$2"'}'
    order=$(in_answer .id)
    done_well "order $order is $(in_answer .status)"
}

# field_is URL FILTER VALUE: whether what is there has that value, by jq.
field_is() { [ "$(curl --silent --fail --max-time 30 "$1" | jq -r "$2")" = "$3" ]; }

# has_points NUMBER: whether Ada has so many.
has_points() { field_is "$points_url/accounts/ada" '.balances[] | select(.currency == "EUR").points' "$1"; }

scenario_everything() {
    heading '9. A coupon, points and a card pay, and the courier brings it; another one is cancelled'
    note 'Coupon reserves beside Inventory, then Points spends, and Payment charges what is left. Shipping hears from the courier.'
    current_step='a coupon and points for Ada'
    ask PUT "$coupon_url/coupons/definitions/ten-percent" '{"discount": {"percent": 10}, "limitPerCustomer": 2}'
    claim_coupon
    ask POST "$points_url/accounts/ada/charges" '{"total": {"amount": 600, "currency": "EUR"}, "paymentMethod": "pm_card_visa"}'
    expect 'Ada has bought 600 points' 120 has_points 600
    buy_with_everything 400 ',
      "shippingAddress": {"name": "Ada Lovelace", "lines": ["12 St James Square"], "postalCode": "SW1Y 4JH", "city": "London", "country": "GB"}'
    reach confirmed
    done_well "her coupon paid $(in_answer .deductions.discount), her points $(in_answer .deductions.points), her card $(in_answer .due.amount) of $(in_answer .total.amount)"
    expect 'the courier has brought it' 120 field_is "$order_url/orders/$order" .shippingStatus delivered
    expect_mail 'is on its way'
    # 200 are left, and 1 % of the 18.50 that her card paid.
    expect 'she has 218 points' 120 has_points 218
    claim_coupon
    note 'The next one has no address yet, so that it is not on its way when she thinks better of it.'
    buy_with_everything 100 ''
    reach confirmed
    warren order cancel "$order"
    reach refunded
    expect 'the coupon is hers again' 120 field_is "$coupon_url/coupons/$coupon" .state issued
    expect 'and so are the points' 120 has_points 218
}

# Everything there is to see at the end.
show_outcome() {
    heading 'What became of it all'
    current_step='the outcome'
    show_command warren order list
    "$bin/warren" order list | indent
    printf '\n'
    show_command curl -s "$mail_url/api/v1/messages"
    mails | jq -r '.messages | reverse[] | "\(.To[0].Address)  \(.Subject)"' | indent
    printf '\n'
    show_command warren dead-letters list --state dead --state scheduled --state held --state discarded
    "$bin/warren" dead-letters list --state dead --state scheduled --state held --state discarded | indent
    printf '\n'
    show_command warren status
    "$bin/warren" status | indent
}
