// swift-tools-version: 6.2
import PackageDescription

/// Warnings are errors where this repository's scripts build (`WARREN_WARNINGS=errors`), and never where somebody else does:
/// a later compiler may warn of what is well today.
let warnings: [SwiftSetting] =
    Context.environment["WARREN_WARNINGS"] == "errors" ? [.treatAllWarnings(as: .error)] : []

/// What every Swift target is compiled with: the compiler's upcoming rules are on.
let strict: [SwiftSetting] =
    warnings + [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("MemberImportVisibility"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    ]

/// The targets that wrap C also say where memory is handled by hand.
let wrapsC: [SwiftSetting] = strict + [.strictMemorySafety()]

/// Places where a test build ends the process, as `Tests/run crash` asks for them.
let crashPoints: [SwiftSetting] =
    Context.environment["WARREN_CRASH_POINTS"] == nil ? [] : [.define("WARREN_CRASH_POINTS")]

func systemLibrary(_ name: String, pkgConfig: String, debian: String) -> Target {
    .systemLibrary(
        name: name,
        path: "Shared/CLibraries/\(name)",
        pkgConfig: pkgConfig,
        providers: [.apt([debian])]
    )
}

func kit(_ name: String, _ dependencies: [Target.Dependency] = [], settings: [SwiftSetting] = strict) -> Target {
    .target(
        name: name,
        dependencies: dependencies,
        path: "Shared/\(name)",
        exclude: documents[name] ?? [],
        resources: served[name],
        swiftSettings: settings
    )
}

func service(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(
        name: name,
        dependencies: dependencies,
        path: "Services/\(name)",
        exclude: documents[name] ?? [],
        resources: served[name],
        swiftSettings: strict
    )
}

func tests(_ name: String, at path: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: name,
        dependencies: dependencies + ["TestSupport"],
        path: "Tests/\(path)",
        exclude: documents[name] ?? [],
        swiftSettings: strict
    )
}

/// Documents that live beside the code.
let documents: [String: [String]] = [
    "AMQP": ["README.md"],
    "AMQPInMemory": ["README.md"],
    "CommandLine": ["README.md"],
    "Database": ["README.md"],
    "Events": ["README.md"],
    "HTTP": ["README.md"],
    "InteropTests": [
        "cloudevents_peer.py", "contract_corpus.py", "peer.py", "stripe_client.py", "prepare", "requirements.txt",
        "schemathesis.toml",
    ],
    "JSON": ["README.md"],
    "Messaging": ["README.md"],
    "MessagingTestKit": ["README.md"],
    "ServiceKit": ["README.md"],
    "ShopEvents": ["README.md", "asyncapi.yaml", "catalogue.md"],
    "Telemetry": ["README.md"],
    "Analytics": ["README.md", "follow_orders.py"],
    "Coupon": ["README.md"],
    "Inventory": ["README.md"],
    "Order": ["README.md"],
    "Notification": ["README.md"],
    "Payment": ["README.md"],
    "Points": ["README.md"],
    "Sandbox": ["README.md"],
    "Shipping": ["README.md"],
]

/// What customers read unless a user has written it anew.
let mailTemplates = ["en", "ko"].flatMap { language in
    ["reasons.\(language).txt"]
        + [
            "confirmed", "rejected", "cancelled", "refunded", "dispatched", "partly-cancelled", "partly-refunded",
        ].flatMap { mail in
            ["\(mail).\(language).txt", "\(mail).\(language).html"]
        }
}

/// Documents that programs serve: in their code, so that a program is one file.
let served: [String: [Resource]] = [
    "Notification": mailTemplates.map { .embedInCode("Templates/Files/\($0)") },
    "ServiceKit": [.embedInCode("Operations/openapi.yaml"), .embedInCode("Wiring/public.yaml")],
    "Coupon": [.embedInCode("openapi.yaml")],
    "Inventory": [.embedInCode("openapi.yaml")],
    "Order": [.embedInCode("openapi.yaml")],
    "Payment": [.embedInCode("openapi.yaml")],
    "Points": [.embedInCode("openapi.yaml")],
    "Shipping": [.embedInCode("openapi.yaml")],
]

let package = Package(
    name: "warren",
    products: [
        .library(name: "AMQP", targets: ["AMQP"]),
        .library(name: "AMQPInMemory", targets: ["AMQPInMemory"]),
        .library(name: "Database", targets: ["Database"]),
        .library(name: "JSON", targets: ["JSON"]),
        .library(name: "Events", targets: ["Events"]),
        .library(name: "Messaging", targets: ["Messaging"]),
        .library(name: "HTTP", targets: ["HTTP"]),
        .library(name: "Telemetry", targets: ["Telemetry"]),
        .library(name: "ServiceKit", targets: ["ServiceKit"]),
        .library(name: "ShopEvents", targets: ["ShopEvents"]),
        .library(name: "MessagingTestKit", targets: ["MessagingTestKit"]),
        .executable(name: "order-service", targets: ["Order"]),
        .executable(name: "payment-service", targets: ["Payment"]),
        .executable(name: "notification-service", targets: ["Notification"]),
        .executable(name: "inventory-service", targets: ["Inventory"]),
        .executable(name: "coupon-service", targets: ["Coupon"]),
        .executable(name: "points-service", targets: ["Points"]),
        .executable(name: "shipping-service", targets: ["Shipping"]),
        .executable(name: "analytics-service", targets: ["Analytics"]),
        .executable(name: "sandbox", targets: ["Sandbox"]),
        .executable(name: "warren", targets: ["CommandLine"]),
        .executable(name: "benchmarks", targets: ["Benchmarks"]),
        .executable(name: "benchmark-reference", targets: ["BenchmarkReference"]),
    ],
    targets: [
        // The C libraries, each behind one Swift module.
        systemLibrary("CRabbitMQ", pkgConfig: "librabbitmq", debian: "librabbitmq-dev"),
        systemLibrary("CSQLite", pkgConfig: "sqlite3", debian: "libsqlite3-dev"),
        systemLibrary("CCurl", pkgConfig: "libcurl", debian: "libcurl4-openssl-dev"),
        systemLibrary("CJWT", pkgConfig: "libjwt", debian: "libjwt-dev"),
        // What Glibc's module lacks; there is no library behind it.
        .systemLibrary(name: "CSockets", path: "Shared/CLibraries/CSockets"),

        // The kit.
        kit("Telemetry"),
        kit("AMQP", ["CRabbitMQ", "Telemetry"], settings: wrapsC),
        kit("AMQPInMemory", ["AMQP"]),
        kit("Database", ["CSQLite", "Telemetry"], settings: wrapsC),
        kit("JSON"),
        kit("Events", ["JSON", "Telemetry"]),
        kit("Messaging", ["AMQP", "Database", "Events", "JSON", "Telemetry"], settings: strict + crashPoints),
        kit("HTTP", ["CSockets", "CCurl", "CJWT", "JSON", "Telemetry"], settings: wrapsC),
        kit("MessagingTestKit", ["Messaging", "AMQP", "AMQPInMemory", "Database", "Events", "Telemetry"]),
        kit("ServiceKit", ["JSON", "Messaging", "Database", "Events", "HTTP", "Telemetry"]),
        kit("ShopEvents", ["Events", "Messaging", "Telemetry"]),

        // The shop.
        service("Order", ["ServiceKit", "ShopEvents", "Messaging", "Database", "Events", "HTTP", "JSON", "Telemetry"]),
        service("Payment", ["ServiceKit", "ShopEvents", "Messaging", "Database", "Events", "HTTP", "Telemetry"]),
        service("Notification", ["ServiceKit", "ShopEvents", "Messaging", "Database", "Events", "HTTP", "Telemetry"]),
        service(
            "Inventory",
            ["ServiceKit", "ShopEvents", "Messaging", "Database", "Events", "HTTP", "JSON", "Telemetry"]
        ),
        service(
            "Coupon",
            ["ServiceKit", "ShopEvents", "Messaging", "Database", "Events", "HTTP", "JSON", "Telemetry"]
        ),
        service(
            "Points",
            ["ServiceKit", "ShopEvents", "Messaging", "Database", "Events", "HTTP", "JSON", "Telemetry"]
        ),
        service(
            "Shipping",
            ["ServiceKit", "ShopEvents", "Messaging", "Database", "Events", "HTTP", "JSON", "Telemetry"]
        ),
        service("Analytics", ["ServiceKit", "ShopEvents", "Messaging", "Events", "HTTP", "JSON", "Telemetry"]),
        service("Sandbox", ["ServiceKit", "HTTP", "Telemetry"]),
        service("CommandLine", ["ServiceKit", "ShopEvents", "Messaging", "Events", "HTTP", "JSON", "Telemetry"]),

        // The tests.
        .target(
            name: "TestSupport",
            dependencies: ["JSON"],
            path: "Tests/Support",
            exclude: ["Services"],
            swiftSettings: strict
        ),
        .target(
            name: "ServiceTestSupport",
            dependencies: ["TestSupport", "HTTP", "JSON", "Telemetry"],
            path: "Tests/Support/Services",
            swiftSettings: strict
        ),
        tests("TelemetryTests", at: "Unit/Telemetry", ["Telemetry"]),
        tests("JSONTests", at: "Unit/JSON", ["JSON"]),
        tests("EventsTests", at: "Unit/Events", ["Events", "JSON", "Telemetry"]),
        tests("AMQPTests", at: "Unit/AMQP", ["AMQP"]),
        tests("AMQPInMemoryTests", at: "Unit/AMQPInMemory", ["AMQPInMemory", "AMQP"]),
        tests("DatabaseTests", at: "Unit/Database", ["Database", "Telemetry"]),
        tests("HTTPTests", at: "Unit/HTTP", ["HTTP", "JSON", "Telemetry"]),
        tests(
            "MessagingTests",
            at: "Unit/Messaging",
            ["Messaging", "AMQP", "AMQPInMemory", "Database", "Events", "JSON", "Telemetry"]
        ),
        tests(
            "MessagingTestKitTests",
            at: "Unit/MessagingTestKit",
            ["MessagingTestKit", "Messaging", "Database", "Events"]
        ),
        tests(
            "ServiceKitTests",
            at: "Unit/ServiceKit",
            ["ServiceKit", "HTTP", "JSON", "Database", "Events", "Messaging", "Telemetry"]
        ),
        tests(
            "ShopTests",
            at: "Unit/Shop",
            [
                "Order", "Payment", "Notification", "Inventory", "Coupon", "Points", "Shipping", "Analytics",
                "Sandbox", "ServiceKit", "ShopEvents", "Messaging", "MessagingTestKit", "Database", "Events", "HTTP",
                "JSON", "Telemetry",
                "ServiceTestSupport",
            ]
        ),
        tests(
            "CouponTests",
            at: "Unit/Coupon",
            [
                "Coupon", "ServiceKit", "ShopEvents", "Messaging", "MessagingTestKit", "Database", "Events",
                "HTTP", "JSON", "Telemetry", "ServiceTestSupport",
            ]
        ),
        tests(
            "PointsTests",
            at: "Unit/Points",
            [
                "Points", "ServiceKit", "ShopEvents", "Messaging", "MessagingTestKit", "Database", "Events",
                "HTTP", "JSON", "Telemetry", "ServiceTestSupport",
            ]
        ),
        tests(
            "ShippingTests",
            at: "Unit/Shipping",
            [
                "Shipping", "Sandbox", "ServiceKit", "ShopEvents", "Messaging", "MessagingTestKit", "Database",
                "Events",
                "HTTP", "JSON", "Telemetry", "ServiceTestSupport",
            ]
        ),
        tests(
            "CommandLineTests",
            at: "Unit/CommandLine",
            ["CommandLine", "ServiceKit", "ShopEvents", "Messaging", "Events", "HTTP", "JSON", "Telemetry"]
        ),
        tests("AMQPIntegrationTests", at: "Integration/AMQP", ["AMQP", "Telemetry"]),
        tests("InteropTests", at: "Interop", ["AMQP", "JSON", "Telemetry"]),
        tests(
            "MessagingIntegrationTests",
            at: "Integration/Messaging",
            ["Messaging", "AMQP", "Database", "Events", "JSON", "Telemetry"]
        ),
        tests("ConformanceTests", at: "Conformance", ["AMQP", "AMQPInMemory", "Telemetry"]),
        tests("FaultTests", at: "Faults", ["AMQP", "Telemetry"]),
        tests(
            "EndToEndTests",
            at: "EndToEnd",
            ["AMQP", "Database", "Events", "HTTP", "JSON", "ShopEvents", "Telemetry"]
        ),

        // The benchmarks: no tests, and the C programs that they compare with.
        .executableTarget(
            name: "Benchmarks",
            dependencies: ["AMQP", "Database", "Events", "Messaging", "Telemetry"],
            path: "Tests/Benchmarks/Runner",
            swiftSettings: strict
        ),
        .executableTarget(
            name: "BenchmarkReference",
            dependencies: ["CRabbitMQ", "CSQLite"],
            path: "Tests/Benchmarks/Reference",
            cSettings: [.define("_GNU_SOURCE")]
        ),
    ],
    swiftLanguageModes: [.v6]
)

// The deterministic simulation takes the clock and the scheduler of its whole process, so it is a program of its own; it
// looks inside the kit, which a release build for users does not allow. `Tests/run simulation` asks for it.
if Context.environment["WARREN_SIMULATION"] != nil {
    package.targets += [
        .target(name: "CInterpose", path: "Tests/Simulation/Interpose"),
        .executableTarget(
            name: "simulation",
            dependencies: ["CInterpose", "Messaging", "AMQP", "Database", "Events", "Telemetry"],
            path: "Tests/Simulation",
            exclude: ["Interpose", "README.md", "run"],
            swiftSettings: strict
        ),
    ]
}
