import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Settings")
    struct Settings {
        @Test("that are wrong are all named at once, and nothing is started", arguments: Shop.Program.allCases)
        func wrong(program: Shop.Program) async throws {
            let folder = try TemporaryFolder("settings")
            var environment = [
                "WARREN_HTTP_ADDRESS": "nowhere", "WARREN_LOG_LEVEL": "loud", "WARREN_SHUTDOWN_GRACE": "soon",
            ]
            switch program {
            case .order:
                environment["SHOP_CONTEXTS"] = "inventory,warehouse"
                environment["ORDER_INVENTORY_URL"] = "inventory"
                environment["ORDER_DEADLINE"] = "0s"
            case .inventory:
                environment["INVENTORY_RESERVATION"] = "0s"
                environment["INVENTORY_WAIT"] = "soon"
                environment["INVENTORY_LOW"] = "-1"
                environment["INVENTORY_RELIST"] = "0s"
            case .coupon:
                environment["COUPON_REDEMPTION"] = "0s"
                environment["COUPON_WAIT"] = "soon"
            case .points: environment["POINTS_EARN"] = "-1"
            case .shipping:
                environment["SHIPPING_COURIER_URL"] = "ftp://courier"
                environment["SHIPPING_CHECK"] = "0s"
            case .payment:
                environment["PAYMENT_PROVIDER_URL"] = "ftp://provider"
                environment["PAYMENT_PROVIDER_TIMEOUT"] = "0s"
            case .notification:
                environment["MAIL_SMTP_URL"] = "mail"
                environment["MAIL_FROM"] = "Shop <shop@example.com>"
                environment["MAIL_FROM_NAME"] = "Shop <b>"
                environment["MAIL_TIMEOUT"] = "0s"
                environment["MAIL_CONNECTIONS"] = "0"
                environment["MAIL_RECIPIENT_LIMIT"] = "-1"
                environment["NOTIFICATION_LANGUAGE"] = "english"
            case .analytics:
                environment["ANALYTICS_ORDER_URL"] = "order"
                environment["PLATFORM_URL"] = "ftp://platform"
                environment["PLATFORM_TIMEOUT"] = "0s"
                environment["PLATFORM_PAUSE"] = "0s"
            case .sandbox: break
            }
            if program != .sandbox {
                environment.merge(
                    [
                        "WARREN_AMQP_URL": "http://guest:s3cr3t@broker", "WARREN_RETRY_ATTEMPTS": "0",
                        "WARREN_RETRY_BASE": "1 parsec", "WARREN_PREFETCH": "many",
                    ],
                    uniquingKeysWith: { _, new in new }
                )
            }
            let child = try ChildProcess(
                try TestEnvironment.program(program.rawValue),
                environment: environment,
                folder: folder.url
            )
            #expect(try await child.waitForEnd() == .exit(2))
            for name in environment.keys {
                #expect(child.standardError.contains(name), "\(name) in \(child.standardError)")
            }
            #expect(!child.standardError.contains("s3cr3t"))
            let left = try FileManager.default.contentsOfDirectory(atPath: folder.url.path)
            #expect(left.allSatisfy { !$0.hasSuffix(".db") }, "\(left)")
        }

        @Test("are explained by --help", arguments: Shop.Program.allCases)
        func help(program: Shop.Program) async throws {
            let done = try await ChildProcess.run(try TestEnvironment.program(program.rawValue), ["--help"])
            #expect(done.end == .exit(0))
            #expect(done.output.contains("WARREN_HTTP_ADDRESS"))
        }
    }
}
