import HTTP

extension ProblemKind {
    /// What Payment answers beside what every service can.
    static let ofPayment = [webhookSignature, webhooksOff, providerSilent]

    static let webhookSignature = ProblemKind(
        "webhook-signature",
        status: 400,
        title: "The webhook is not the provider's",
        meaning: """
            The header `Stripe-Signature` is missing, was made with another secret or of another body, or more than five minutes \
            ago. Nothing was looked at.
            """,
        mend:
            "Set `PAYMENT_WEBHOOK_SECRET` to the endpoint's signing secret, pass on the body as it came, and set the clock."
    )

    static let webhooksOff = ProblemKind(
        "webhooks-off",
        status: 503,
        title: "Payment takes no webhooks",
        meaning: "There is no secret by which a webhook could be verified, so none is.",
        mend: "Set `PAYMENT_WEBHOOK_SECRET` to the endpoint's signing secret. The provider sends the webhook again."
    )

    static let providerSilent = ProblemKind(
        "provider-silent",
        status: 502,
        title: "The provider has not answered",
        meaning:
            "The payment provider did not answer, or said something that is none of its answers. Nothing was changed.",
        mend: "Try again later; `detail` says what the provider said."
    )
}
