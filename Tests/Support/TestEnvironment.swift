public import Foundation

/// What `Tests/run` tells the tests about the machine; without it, tests that need a broker or a program say so.
public enum TestEnvironment {
    /// A setting of `Tests/run` that is not there.
    public struct Missing: Error, CustomStringConvertible {
        let name: String
        /// Names the variable and the way to have it set.
        public var description: String { "\(name) is not set: run these tests with Tests/run" }
    }

    /// The AMQP URL of the broker that all tests share.
    ///
    /// Names in it have to be unique per test: see `uniqueName(_:)`.
    public static var brokerURL: String {
        get throws { try value("WARREN_TEST_AMQP_URL") }
    }

    /// The management API of the same broker.
    public static var managementURL: URL {
        get throws { try url("WARREN_TEST_MANAGEMENT_URL") }
    }

    /// The script that starts and stops brokers.
    public static var brokerScript: URL {
        get throws { URL(fileURLWithPath: try value("WARREN_TEST_BROKER")) }
    }

    /// The mail sink's program.
    public static var mailSink: URL {
        get throws { URL(fileURLWithPath: try value("WARREN_TEST_MAIL_SINK")) }
    }

    /// The Python interpreter whose environment has what the interoperation tests' other side needs.
    public static var python: URL {
        get throws { URL(fileURLWithPath: try value("WARREN_TEST_PYTHON")) }
    }

    /// The program of one of the package's products, as it was built for the tests.
    ///
    /// `Tests/run crash` has its own build of the services.
    public static func program(_ product: String) throws -> URL {
        if let folder = ProcessInfo.processInfo.environment["WARREN_TEST_CRASH_BIN"], !folder.isEmpty {
            let program = URL(fileURLWithPath: folder).appendingPathComponent(product)
            if FileManager.default.isExecutableFile(atPath: program.path) { return program }
        }
        return URL(fileURLWithPath: try value("WARREN_TEST_BIN")).appendingPathComponent(product)
    }

    /// A name that no other test uses: the word that was given and something unique.
    public static func uniqueName(_ word: String) -> String {
        "\(word)-\(UUID().uuidString.lowercased().prefix(13))"
    }

    private static func value(_ name: String) throws -> String {
        guard let value = ProcessInfo.processInfo.environment[name], !value.isEmpty else { throw Missing(name: name) }
        return value
    }

    private static func url(_ name: String) throws -> URL {
        guard let url = URL(string: try value(name)) else { throw Missing(name: name) }
        return url
    }
}
