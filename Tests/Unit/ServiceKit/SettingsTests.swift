import Foundation
import HTTP
import Messaging
import Telemetry
import Testing

@testable import ServiceKit

@Suite("Settings")
struct SettingsTests {
    private static let count = Setting<Int>.integer("SHOP_COUNT", default: 3, in: 1...9, help: "How many.")
    private static let key = Setting<String>.text("SHOP_KEY", default: nil, secret: true, help: "The key.")
    private static let provider = Setting<String>.url(
        "SHOP_URL",
        default: "http://127.0.0.1:8090",
        schemes: ["http", "https"],
        help: "The provider."
    )
    private static let wait = Setting<Duration>.duration("SHOP_WAIT", default: "10s", help: "How long.")

    private static func read(
        _ environment: [String: String],
        _ declarations: [SettingDeclaration]
    ) throws(SettingFaults) -> Settings {
        try Settings.read(declarations, from: environment)
    }

    private static func faults(_ environment: [String: String], _ declarations: [SettingDeclaration]) -> [SettingFault]
    {
        do throws(SettingFaults) {
            _ = try read(environment, declarations)
            return []
        } catch {
            return error.faults
        }
    }

    private static func withFile<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("setting-\(UUID()).txt")
        try Data(bytes).write(to: path)
        defer { try? FileManager.default.removeItem(at: path) }
        return try body(path.path)
    }

    @Test("come from the environment, or else from their defaults")
    func sources() throws {
        let settings = try Self.read(
            ["SHOP_COUNT": "7", "SHOP_KEY": "k", "SHOP_WAIT": ""],
            [Self.count.declaration, Self.key.declaration, Self.provider.declaration, Self.wait.declaration]
        )
        #expect(settings[Self.count] == 7)
        #expect(settings[Self.key] == "k")
        #expect(settings[Self.provider] == "http://127.0.0.1:8090")
        #expect(settings[Self.wait] == .seconds(10))
        #expect(settings.given == ["SHOP_COUNT", "SHOP_KEY"])
    }

    @Test("come from the file that NAME_FILE names, without the newline at its end")
    func files() throws {
        try Self.withFile(Array("  se cret \r\n\n".utf8)) { path in
            let settings = try Self.read(["SHOP_KEY_FILE": path], [Self.key.declaration])
            #expect(settings[Self.key] == "  se cret ")
            #expect(settings.given == ["SHOP_KEY_FILE"])
        }
    }

    @Test("in a file are read again where a secret is rotated, and only there")
    func rotation() throws {
        try Self.withFile(Array("amqp://u:old@h\n".utf8)) { path in
            let kit = KitSettings(service: "order", httpPort: 8081)
            let settings = try Self.read(["WARREN_AMQP_URL_FILE": path], kit.declarations)
            let description = ServiceDescription(
                name: "order",
                summary: "Orders.",
                httpPort: 8081,
                topology: Topology([])
            )
            let configuration = kit.messagingConfiguration(for: description, in: settings)
            let source = try #require(configuration.brokerURLSource)
            #expect(configuration.brokerURLs == ["amqp://u:old@h"])
            try Data("amqp://u:new@h,amqp://u:new@i".utf8).write(to: URL(fileURLWithPath: path))
            #expect(try source() == ["amqp://u:new@h", "amqp://u:new@i"])
            try Data("nonsense".utf8).write(to: URL(fileURLWithPath: path))
            #expect(throws: SettingFault.self) { try source() }
            try FileManager.default.removeItem(atPath: path)
            #expect { try source() } throws: { "\($0)".contains("WARREN_AMQP_URL_FILE") }

            let direct = try Self.read(["WARREN_AMQP_URL": "amqp://h"], kit.declarations)
            #expect(kit.messagingConfiguration(for: description, in: direct).brokerURLSource == nil)
        }
    }

    @Test("that are wrong are all named at once, each on a line with what is wrong, what is expected and the mend")
    func allFaultsAtOnce() {
        let faults = Self.faults(
            ["SHOP_COUNT": "ten\n", "SHOP_URL": "ftp://x", "SHOP_WAIT": "5 minutes"],
            [Self.count.declaration, Self.key.declaration, Self.provider.declaration, Self.wait.declaration]
        )
        #expect(
            faults.map(\.description) == [
                #"SHOP_COUNT: "ten\n" is not valid; expected a whole number from 1 to 9; "#
                    + "correct it, or unset it for the default 3",
                "SHOP_KEY: it is not set; expected a text; "
                    + "set SHOP_KEY, or SHOP_KEY_FILE to the path of a file that holds the value",
                #"SHOP_URL: "ftp://x" is not valid; expected a URL such as http://HOST:PORT or https://HOST:PORT; "#
                    + "correct it, or unset it for the default http://127.0.0.1:8090",
                #"SHOP_WAIT: "5 minutes" is not valid; expected a duration such as 500ms, 10s, 5m or 24h, at most 8760h; "#
                    + "correct it, or unset it for the default 10s",
            ]
        )
    }

    @Test("given in both ways are a fault, not a guess")
    func both() {
        let faults = Self.faults(["SHOP_COUNT": "1", "SHOP_COUNT_FILE": "/nowhere"], [Self.count.declaration])
        #expect(
            faults.map(\.description) == [
                "SHOP_COUNT: SHOP_COUNT and SHOP_COUNT_FILE are both set; expected one of the two; unset one of them"
            ]
        )
    }

    @Test("whose file cannot be read say why")
    func unreadableFiles() throws {
        let missing = Self.faults(["SHOP_KEY_FILE": "/nowhere/key"], [Self.key.declaration])
        #expect(missing.map(\.variable) == ["SHOP_KEY_FILE"])
        #expect(missing[0].wrong == #""/nowhere/key" cannot be read: No such file or directory"#)
        #expect(Self.faults(["SHOP_KEY_FILE": "/tmp"], [Self.key.declaration])[0].wrong.contains("Is a directory"))
        try Self.withFile([]) { path in
            #expect(Self.faults(["SHOP_KEY_FILE": path], [Self.key.declaration])[0].wrong.hasSuffix("is empty"))
        }
        try Self.withFile([0xFF, 0xFE]) { path in
            #expect(Self.faults(["SHOP_KEY_FILE": path], [Self.key.declaration])[0].wrong.hasSuffix("not UTF-8 text"))
        }
        try Self.withFile(Array(repeating: 0x61, count: 1 << 17)) { path in
            #expect(
                Self.faults(["SHOP_KEY_FILE": path], [Self.key.declaration])[0].wrong.hasSuffix("larger than 64 KiB")
            )
        }
    }

    @Test("that are secret are never printed, neither the value nor the default")
    func secrets() throws {
        let pin = Setting<String>("SHOP_PIN", default: "0000x", secret: true, expected: "digits", help: "The pin.") {
            $0.allSatisfy(\.isNumber) ? $0 : nil
        }
        try Self.withFile(Array("hunter2".utf8)) { path in
            let environments = [["SHOP_PIN": "hunter2"], ["SHOP_PIN_FILE": path], [:]]
            for faults in environments.map({ Self.faults($0, [pin.declaration]) }) {
                #expect(faults.count == 1)
                #expect(!faults[0].description.contains("hunter2") && !faults[0].description.contains("0000x"))
            }
        }
        let help = HelpText(program: "x", summary: "X.", settings: [pin.declaration]).description
        #expect(!help.contains("0000x"))
    }

    @Test(
        "that are URLs are printed without their credentials",
        arguments: [
            "amq://user:hunter2@host", "http://user:hunter2@host:99999/", "http://host:80:hunter2/", "hunter2",
            "http://user:hunt@er2@host:x/", "ftp://host/?token=hunter2", "amq://a:b@h,amqp://u:hunter2@h",
        ]
    )
    func credentials(text: String) {
        let kit = KitSettings(service: "order", httpPort: 1)
        let faults =
            Self.faults(["SHOP_URL": text], [Self.provider.declaration])
            + Self.faults(["WARREN_AMQP_URL": text], [kit.broker.declaration])
        #expect(faults.count == 2)
        for fault in faults { #expect(!fault.description.contains("hunter2") && !fault.description.contains("er2@")) }
    }

    @Test("of the kit have the documented defaults")
    func kitDefaults() throws {
        let kit = KitSettings(service: "order", httpPort: 8081)
        let settings = try Self.read([:], kit.declarations)
        #expect(settings[kit.broker] == ["amqp://guest:guest@127.0.0.1:5672/"])
        #expect(settings[kit.database] == "sqlite:order.db")
        #expect(settings[kit.common.address] == "127.0.0.1:8081")
        #expect(settings[kit.access.operationsToken] == nil)
        #expect(settings[kit.common.logLevel] == .info)
        #expect(settings[kit.common.logFormat] == .json)
        #expect(settings[kit.queueType] == .quorum)
        #expect(settings[kit.prefetch] == 256)
        #expect(settings[kit.topology] == .declare)
        #expect(kit.retryPolicy(in: settings) == .standard)
        #expect(settings[kit.common.shutdownGrace] == .seconds(10))
    }

    @Test("of the kit have a service's own schedule of retries where it has one, and settings go before it")
    func ownSchedule() throws {
        let own = RetryPolicy(attempts: 72, base: .seconds(15), factor: 2, cap: .seconds(3600))
        let kit = KitSettings(service: "mail", httpPort: 8083, retryPolicy: own)
        #expect(kit.retryPolicy(in: try Self.read([:], kit.declarations)) == own)
        let settings = try Self.read(["WARREN_RETRY_ATTEMPTS": "3"], kit.declarations)
        #expect(kit.retryPolicy(in: settings).attempts == 3)
        #expect(kit.retryPolicy(in: settings).base == .seconds(15))
    }

    @Test("of the kit take a list of brokers, a token and the retry schedule")
    func kitValues() throws {
        let kit = KitSettings(service: "order", httpPort: 8081)
        let settings = try Self.read(
            [
                "WARREN_AMQP_URL": "amqp://a:b@one,amqps://[::1]:5671/%2F", "WARREN_OPERATIONS_TOKEN": "t",
                "WARREN_RETRY_ATTEMPTS": "2", "WARREN_RETRY_BASE": "50ms", "WARREN_RETRY_FACTOR": "1.5",
                "WARREN_RETRY_CAP": "2m", "WARREN_DEFERRAL_LIMIT": "90m",
            ],
            kit.declarations
        )
        #expect(settings[kit.broker] == ["amqp://a:b@one", "amqps://[::1]:5671/%2F"])
        #expect(settings[kit.access.operationsToken] == "t")
        let policy = kit.retryPolicy(in: settings)
        #expect(policy.attempts == 2 && policy.base == .milliseconds(50))
        #expect(policy.factor == 1.5 && policy.cap == .seconds(120))
        #expect(settings[kit.deferralLimit] == .seconds(5400))
    }

    @Test(
        "of the kit that cannot be used are faults",
        arguments: [
            ("WARREN_AMQP_URL", "amqp://one,"), ("WARREN_AMQP_URL", "amqp://"), ("WARREN_AMQP_URL", "amqp://h:0x1"),
            ("WARREN_DATABASE_URL", "order.db"), ("WARREN_DATABASE_URL", "sqlite:"),
            ("WARREN_DATABASE_URL", "sqlite::memory:"), ("WARREN_HTTP_ADDRESS", "8081"),
            ("WARREN_HTTP_ADDRESS", "127.0.0.1"), ("WARREN_HTTP_ADDRESS", "127.0.0.1:65536"),
            ("WARREN_HTTP_ADDRESS", "127.0.0.1:80/x"), ("WARREN_HTTP_ADDRESS", "::1:80"),
            ("WARREN_OPERATIONS_TOKEN", "with space"), ("WARREN_OPERATIONS_TOKEN", "näive"),
            ("WARREN_LOG_LEVEL", "loud"), ("WARREN_LOG_FORMAT", "xml"), ("WARREN_QUEUE_TYPE", "stream"),
            ("WARREN_PREFETCH", "0"), ("WARREN_PREFETCH", "1e3"), ("WARREN_TOPOLOGY", "maybe"),
            ("WARREN_RETRY_ATTEMPTS", "0"), ("WARREN_RETRY_BASE", "1"), ("WARREN_RETRY_BASE", "0s"),
            ("WARREN_RETRY_FACTOR", "0.5"), ("WARREN_RETRY_FACTOR", "nan"), ("WARREN_RETRY_CAP", "-1s"),
            ("WARREN_DEFERRAL_LIMIT", "0s"), ("WARREN_DEFERRAL_LIMIT", "31d"),
            ("WARREN_CONFIRM_TIMEOUT", "999ms"), ("WARREN_CONFIRM_TIMEOUT", "2h"),
            ("WARREN_EVENT_RETENTION", "59m"), ("WARREN_EVENT_RETENTION", "d"), ("WARREN_DELIVERY_RETENTION", "never"),
            ("WARREN_SHUTDOWN_GRACE", "0s"), ("WARREN_SHUTDOWN_GRACE", "99999999999999999999h"),
            ("WARREN_HTTP_MAX_CONNECTIONS", "7"), ("WARREN_HTTP_IDLE_TIMEOUT", "0s"),
            ("WARREN_HTTP_HEAD_TIMEOUT", "2h"), ("WARREN_HTTP_BODY_TIMEOUT", "long"),
        ]
    )
    func kitFaults(name: String, text: String) {
        let kit = KitSettings(service: "order", httpPort: 8081)
        #expect(Self.faults([name: text], kit.declarations).map(\.variable) == [name])
    }

    @Test("of the retry schedule are checked against each other")
    func crossCheck() throws {
        let kit = KitSettings(service: "order", httpPort: 8081)
        let settings = try Self.read(["WARREN_RETRY_BASE": "10m"], kit.declarations)
        #expect(
            kit.faults(in: settings).map(\.description) == [
                "WARREN_RETRY_CAP: 5m is less than WARREN_RETRY_BASE; expected at least 10m; "
                    + "raise it, or lower WARREN_RETRY_BASE"
            ]
        )
    }

    @Test(
        "keep receipts longer than events",
        arguments: [
            ("30d", "30d", false), ("30d", "31d", true), ("30d", "forever", true), ("forever", "forever", true),
            ("forever", "90d", false), ("100d", "90d", false), ("48h", "3d", true),
        ]
    )
    func retention(events: String, deliveries: String, isValid: Bool) throws {
        let kit = KitSettings(service: "order", httpPort: 8081)
        let settings = try Self.read(
            ["WARREN_EVENT_RETENTION": events, "WARREN_DELIVERY_RETENTION": deliveries],
            kit.declarations
        )
        #expect(kit.faults(in: settings).map(\.variable) == (isValid ? [] : ["WARREN_DELIVERY_RETENTION"]))
    }

    @Test(
        "keep events twice as long as it takes to say them again",
        arguments: [("14d", true), ("335h", false), ("forever", true), ("1h", false)]
    )
    func restatement(events: String, isValid: Bool) throws {
        let kit = KitSettings(service: "inventory", httpPort: 8084)
        let interval = Setting.duration(
            "INVENTORY_RELIST",
            default: "168h",
            in: .seconds(1)...(.seconds(15 * 86_400)),
            help: "How often."
        )
        let settings = try Self.read(["WARREN_EVENT_RETENTION": events], kit.declarations + [interval.declaration])
        let faults = kit.retention.faults(in: settings, restatedEvery: interval)
        #expect(faults.map(\.variable) == (isValid ? [] : ["WARREN_EVENT_RETENTION"]))
        #expect(faults.allSatisfy { $0.description.contains("INVENTORY_RELIST") && $0.description.contains("336h") })
    }

    @Test("that are misspelt are found, with what was probably meant")
    func unknownVariables() {
        let declared = KitSettings(service: "order", httpPort: 8081).declarations
        let environment = [
            "WARREN_PREFTECH": "1", "WARREN_AMQP_URL_FILE": "x", "WARREN_AMQP_URL": "x", "WARREN_SOMETHING_ELSE": "",
            "PATH": "/bin",
        ]
        #expect(
            UnknownVariables.find(in: environment, declared: declared) == [
                .init(name: "WARREN_PREFTECH", similar: "WARREN_PREFETCH"),
                .init(name: "WARREN_SOMETHING_ELSE", similar: nil),
            ]
        )
    }

    @Test(
        "that are URLs are shown in the log without passwords, queries and fragments",
        arguments: [
            ("amqp://guest:guest@127.0.0.1:5672/", "amqp://guest@127.0.0.1:5672/"),
            ("smtp://127.0.0.1:1025", "smtp://127.0.0.1:1025"),
            ("https://u:p%40w@h/a?k=v#f", "https://u@h/a?(not shown)"), ("https://u:p@w@h/a", "(not shown)"),
            ("http://[::1]:80/x", "http://[::1]:80/x"),
            ("http://:p@h", "http://@h"),
            ("no url at all", "(not shown)"),
        ]
    )
    func redaction(text: String, shown: String) {
        #expect(URLParts.redacted(text) == shown)
    }

    @Test(
        "that are durations take whole numbers with a unit",
        arguments: [
            ("0ms", .zero), ("500ms", .milliseconds(500)), ("10s", .seconds(10)), ("5m", .seconds(300)),
            ("24h", .seconds(86_400)), ("", nil), ("10", nil), ("s", nil), ("1.5s", nil), ("-1s", nil), ("1d", nil),
            ("1 s", nil), ("٣s", nil), ("9223372036854775807h", nil),
        ] as [(String, Duration?)]
    )
    func durations(text: String, expected: Duration?) {
        #expect(DurationText.parse(text) == expected)
        if let expected, expected > .zero { #expect(DurationText.parse(DurationText.text(of: expected)) == expected) }
    }
}
