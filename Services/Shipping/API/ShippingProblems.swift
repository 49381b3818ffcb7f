import HTTP

extension ProblemKind {
    /// What Shipping answers beside what every service can.
    static let ofShipping = [courierContradiction, webhookSignature, webhooksOff]

    static let courierContradiction = ProblemKind(
        "courier-contradiction",
        status: 409,
        title: "The courier contradicts itself",
        meaning: """
            A webhook names an address that the courier was never told of, or another tracking code than before. Nothing was \
            changed; the log has a line about it.
            """,
        mend: "Find out at the courier which is true; `GET /shipments/{orderID}` shows what is known here."
    )

    static let webhookSignature = ProblemKind(
        "webhook-signature",
        status: 400,
        title: "The webhook is not the courier's",
        meaning: """
            The header `Courier-Signature` is missing or has not its form, is not made with `SHIPPING_WEBHOOK_SECRET` over these \
            bytes, or is more than five minutes old. Nothing was read of the body.
            """,
        mend: "Sign each attempt anew, with the secret that the service has; see to the clocks of both."
    )

    static let webhooksOff = ProblemKind(
        "webhooks-off",
        status: 503,
        title: "Shipping takes no webhooks",
        meaning: "There is no secret by which a webhook could be verified, so none is.",
        mend: "Set `SHIPPING_WEBHOOK_SECRET` to what the courier signs with. It sends the webhook again."
    )
}
