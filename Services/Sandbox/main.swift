// The outside world for demos and tests: a payment provider that speaks Stripe's API, and a data platform.
import HTTP
import ServiceKit
import Telemetry

let key = Setting.text(
    "SANDBOX_KEY",
    default: "sk_test_sandbox",
    secret: true,
    help: "The secret key that clients of the payment provider and of the data platform give.",
    defaultNote: "sk_test_sandbox, as Payment and Analytics have it"
)
let journal = Setting.optionalText(
    "SANDBOX_JOURNAL",
    help: "A file in which the provider writes down what it does, so that a restart forgets nothing."
)

await runServer(
    name: "sandbox",
    summary: "A payment provider with Stripe's API and a data platform for demos and tests, with faults on request.",
    httpPort: 8090,
    settings: [key.declaration, journal.declaration],
    problems: ProblemKind.ofSandbox
) { context in
    let logger = context.logger.labelled("sandbox.provider")
    let provider =
        if let path = context.settings[journal] {
            try Provider(journal: path, logger: logger)
        } else {
            Provider(logger: logger)
        }
    ProviderAPI(provider: provider, key: context.settings[key]).register(context.route)
    let platform = DataPlatform()
    PlatformAPI(platform: platform, key: context.settings[key]).register(context.route)
    ControlAPI(provider: provider, platform: platform).register(context.route)
}
