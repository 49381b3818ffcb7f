// The outside world for demos and tests: a payment provider that speaks Stripe's API.
import ServiceKit
import Telemetry

let key = Setting.text(
    "SANDBOX_KEY",
    default: "sk_test_sandbox",
    secret: true,
    help: "the secret key that clients of the payment provider give"
)

await runServer(
    name: "sandbox",
    summary: "A payment provider for demos and tests, with Stripe's API and faults on request.",
    httpPort: 8090,
    settings: [key.declaration]
) { context in
    let provider = Provider(logger: context.logger.labelled("sandbox.provider"))
    ProviderAPI(provider: provider, key: context.settings[key]).register(context.route)
    ControlAPI(provider: provider).register(context.route)
}
