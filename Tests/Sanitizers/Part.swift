// Appended to the package's manifest: the part of it that is tested with sanitizers.
//
// Not by `--sanitize`, which would instrument the tests too: Swift Testing's macros make constants that the instrumentation
// for threads turns into code, and do not compile then.
let sanitizer = "-sanitize=\(Context.environment["WARREN_SANITIZER"] ?? "address")"
let modules = ["Telemetry", "AMQP", "Database", "JSON", "Events", "Messaging"]
let tested = ["AMQPTests", "DatabaseTests", "MessagingTests", "AMQPIntegrationTests", "MessagingIntegrationTests"]
package.products = []
package.targets = package.targets.filter { target in
    (["CRabbitMQ", "CSQLite", "TestSupport"] + modules + tested).contains(target.name)
}
package.targets.append(.executableTarget(name: "Planted", path: "Tests/Planted"))
for target in package.targets {
    if modules.contains(target.name) || target.name == "Planted" {
        target.swiftSettings = (target.swiftSettings ?? []) + [.unsafeFlags([sanitizer])]
    }
    if tested.contains(target.name) || target.name == "Planted" {
        target.linkerSettings = [.unsafeFlags([sanitizer])]
    }
}
