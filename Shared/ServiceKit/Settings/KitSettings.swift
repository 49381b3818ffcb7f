import HTTP
import Messaging
import Telemetry

/// The settings that every program of the kit has.
struct CommonSettings {
    let address: Setting<String>
    let hosts = Setting<[String]>(
        "WARREN_HTTP_HOSTS",
        default: "",
        expected: "names separated by commas, shop.example.com for example",
        help: "The names by which clients and proxies reach this program, beside loopback's and that of its address.",
        defaultNote: "none"
    ) { text in
        let names = text.split { $0 == "," || $0 == " " }.map(String.init)
        return names.allSatisfy { HostPolicy.host(of: $0) == $0.lowercased() } ? names : nil
    }
    let http = HTTPSettings()
    let logLevel = Setting<Logger.Level>(
        "WARREN_LOG_LEVEL",
        default: Logger.Level.info.name,
        expected: Logger.Level.allCases.map(\.name).joined(separator: " or "),
        help: "The least that is logged."
    ) { Logger.Level(name: $0) }
    let logFormat = Setting<LogFormat>.choice(
        "WARREN_LOG_FORMAT",
        default: .json,
        help: "How the log is written to standard error: one JSON object per line, or text for people."
    )
    let shutdownGrace = Setting<Duration>.duration(
        "WARREN_SHUTDOWN_GRACE",
        default: "10s",
        in: .milliseconds(100)...(.seconds(3600)),
        help: "The longest that an orderly end may take after SIGTERM or SIGINT."
    )

    init(httpPort: Int) {
        address = .address(
            "WARREN_HTTP_ADDRESS",
            default: "127.0.0.1:\(httpPort)",
            help: "Where HTTP is served. Port 0 picks a free port, which the log then names."
        )
    }

    var declarations: [SettingDeclaration] {
        [
            address.declaration, hosts.declaration, logLevel.declaration, logFormat.declaration,
            shutdownGrace.declaration,
        ] + http.declarations
    }
}

/// The settings of a service: those of design section 6 that every service has.
struct KitSettings {
    let common: CommonSettings
    let access: AccessSettings
    let retention = RetentionSettings()
    let database: Setting<String>
    let broker = Setting<[String]>(
        "WARREN_AMQP_URL",
        default: "amqp://guest:guest@127.0.0.1:5672/",
        display: .locator,
        expected: "amqp://USER:PASSWORD@HOST:PORT/VHOST or amqps://…, several separated by commas",
        help: """
            The broker, or the nodes of a cluster in order of preference. amqps:// verifies the peer. Messages name the user \
            that logs in; ?user_id=none keeps it out, for a broker that calls the user otherwise.
            """
    ) { text in
        let locators = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let areValid = locators.allSatisfy { ["amqp", "amqps"].contains(URLParts($0)?.scheme) }
        return areValid ? locators : nil
    }
    let queueType = Setting<MessagingConfiguration.QueueType>.choice(
        "WARREN_QUEUE_TYPE",
        default: .quorum,
        among: [.quorum, .classic],
        help: "The type of the service's queues. Only quorum keeps the promise that no confirmed event is lost."
    )
    let prefetch = Setting<Int>.integer(
        "WARREN_PREFETCH",
        default: 256,
        in: 1...65_535,
        help: "How many deliveries the broker hands out before they are acknowledged."
    )
    let topology = Setting<MessagingConfiguration.TopologyMode>.choice(
        "WARREN_TOPOLOGY",
        default: .declare,
        among: [.declare, .verify],
        help: "Whether exchanges, queues and bindings are declared, or only verified because others manage them."
    )
    let retryAttempts: Setting<Int>
    let retryBase: Setting<Duration>
    let retryFactor: Setting<Double>
    let retryCap: Setting<Duration>

    let deferralLimit = Setting<Duration>.duration(
        "WARREN_DEFERRAL_LIMIT",
        default: "24h",
        in: .seconds(1)...(.seconds(30 * 86_400)),
        help: "How long a handler may put a delivery off without costing it attempts. Then it becomes a dead letter."
    )
    let attemptTimeout = Setting<Duration>.duration(
        "WARREN_ATTEMPT_TIMEOUT",
        default: "5m",
        in: .seconds(1)...(.seconds(14 * 60)),
        help: "How long a handler may take until its attempt has failed. Below half of the broker's consumer_timeout."
    )

    let confirmTimeout = Setting<Duration>.duration(
        "WARREN_CONFIRM_TIMEOUT",
        default: "30s",
        in: .seconds(1)...(.seconds(3600)),
        help: "How long the broker may take to confirm an event. Then it waits apart, and the others pass."
    )

    /// - Parameter retryPolicy: what holds unless settings say otherwise.
    init(service: String, httpPort: Int, retryPolicy: RetryPolicy = .standard) {
        common = CommonSettings(httpPort: httpPort)
        access = AccessSettings(httpPort: httpPort)
        database = Setting(
            "WARREN_DATABASE_URL",
            default: "sqlite:\(service).db",
            display: .open,
            expected: "sqlite:PATH",
            help: "The service's own database. One process per file."
        ) { text in
            let path = text.dropFirst("sqlite:".count)
            return text.hasPrefix("sqlite:") && !path.isEmpty && path != ":memory:" ? text : nil
        }
        retryAttempts = Setting<Int>.integer(
            "WARREN_RETRY_ATTEMPTS",
            default: retryPolicy.attempts,
            in: 1...100,
            help: "How often a delivery is tried before it becomes a dead letter."
        )
        retryBase = Setting<Duration>.duration(
            "WARREN_RETRY_BASE",
            default: DurationText.text(of: retryPolicy.base),
            in: .milliseconds(1)...(.seconds(86_400)),
            help: "The longest wait before the second attempt. The wait is random between zero and this."
        )
        retryFactor = Setting<Double>.number(
            "WARREN_RETRY_FACTOR",
            default: retryPolicy.factor,
            in: 1...100,
            help: "How many times longer each further wait may be."
        )
        retryCap = Setting<Duration>.duration(
            "WARREN_RETRY_CAP",
            default: DurationText.text(of: retryPolicy.cap),
            in: .milliseconds(1)...(.seconds(7 * 86_400)),
            help: "The longest wait between two attempts."
        )
    }

    var declarations: [SettingDeclaration] {
        [broker.declaration, database.declaration] + common.declarations + access.declarations + [
            queueType.declaration, prefetch.declaration, topology.declaration, retryAttempts.declaration,
            retryBase.declaration, retryFactor.declaration, retryCap.declaration, deferralLimit.declaration,
            confirmTimeout.declaration,
            attemptTimeout.declaration,
        ] + retention.declarations
    }

    /// What only several settings together can show to be wrong.
    func faults(in settings: Settings) -> [SettingFault] {
        let others = access.faults(in: settings) + retention.faults(in: settings)
        guard settings[retryCap] < settings[retryBase] else { return others }
        return [
            SettingFault(
                variable: retryCap.declaration.name,
                wrong: "\(DurationText.text(of: settings[retryCap])) is less than \(retryBase.declaration.name)",
                expected: "at least \(DurationText.text(of: settings[retryBase]))",
                mend: "raise it, or lower \(retryBase.declaration.name)"
            )
        ] + others
    }

    func retryPolicy(in settings: Settings) -> RetryPolicy {
        RetryPolicy(
            attempts: settings[retryAttempts],
            base: settings[retryBase],
            factor: settings[retryFactor],
            cap: settings[retryCap]
        )
    }

    func messagingConfiguration(for description: ServiceDescription, in settings: Settings) -> MessagingConfiguration {
        var configuration = MessagingConfiguration(
            service: description.name,
            source: "/\(description.name)-service",
            brokerURLs: settings[broker],
            topology: description.topology(in: settings)
        )
        configuration.brokerURLSource = settings.reader(of: broker)
        configuration.queueType = settings[queueType]
        configuration.topologyMode = settings[topology]
        configuration.prefetch = settings[prefetch]
        configuration.retryPolicy = retryPolicy(in: settings)
        configuration.deferralLimit = settings[deferralLimit]
        configuration.confirmTimeout = settings[confirmTimeout]
        configuration.attemptTimeout = settings[attemptTimeout]
        configuration.ordering = description.ordering
        configuration.afterDeadLetter = description.afterDeadLetter
        configuration.role = description.role
        configuration.eventRetention = settings[retention.events]
        configuration.deliveryRetention = settings[retention.deliveries]
        return configuration
    }
}
