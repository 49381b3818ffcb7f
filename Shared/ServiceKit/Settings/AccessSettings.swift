import HTTP
import Telemetry

/// Who may come in: where operations are served, and what opens them and the service's own API for others than loopback.
struct AccessSettings {
    let operationsAddress: Setting<String>
    let operationsTokens = Self.file(
        "WARREN_OPERATIONS_TOKENS_FILE",
        help: """
            Tokens of the operations API, a line each: NAME ROLE TOKEN; roles are read and act. Read again when it changes. \
            Without it loopback alone is answered.
            """
    )
    let operationsToken = Setting<String?>(
        "WARREN_OPERATIONS_TOKEN",
        default: "",
        secret: true,
        expected: "a token of visible ASCII characters",
        help: "The token that this service sends to the operations API of others, whose events it follows.",
        defaultNote: "none"
    ) { text in
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return nil }
        return .some(text.isEmpty ? nil : text)
    }
    let apiTokens = Self.file(
        "WARREN_API_TOKENS_FILE",
        help: """
            Tokens of the back ends that may use the service's own API, a line each: NAME TOKEN. Read again when it changes. \
            Without it and WARREN_JWT_KEY_FILE loopback alone is answered.
            """
    )
    let webKey = Self.file(
        "WARREN_JWT_KEY_FILE",
        help:
            "The key that customers' JSON Web Tokens are verified with: a public key in PEM form, or the secret of HS…"
    )
    let webAlgorithm = Setting<WebTokenVerifier.Algorithm>.choice(
        "WARREN_JWT_ALGORITHM",
        default: .rs256,
        help: "How these tokens are signed; others are refused."
    )
    let webIssuer = Setting<String?>.optionalText(
        "WARREN_JWT_ISSUER",
        help: "What the `iss` of these tokens must be."
    )
    let webAudience = Setting<String?>.optionalText(
        "WARREN_JWT_AUDIENCE",
        help: "What the `aud` of these tokens must be or contain."
    )

    init(httpPort: Int) {
        let port = httpPort + 1000 <= 65_535 ? httpPort + 1000 : httpPort - 1000
        operationsAddress = .address(
            "WARREN_OPERATIONS_ADDRESS",
            default: "127.0.0.1:\(port)",
            help: "Where operations are served: dead letters, events, audit, metrics. Port 0 picks a free port."
        )
    }

    var declarations: [SettingDeclaration] {
        [
            operationsAddress.declaration, operationsTokens.declaration, operationsToken.declaration,
            apiTokens.declaration, webKey.declaration, webAlgorithm.declaration, webIssuer.declaration,
            webAudience.declaration,
        ]
    }

    /// What is wrong with the files.
    func faults(in settings: Settings) -> [SettingFault] {
        var faults: [SettingFault] = []
        for (setting, hasRoles) in [(operationsTokens, true), (apiTokens, false)] {
            guard let path = settings[setting] else { continue }
            do throws(AccessTokens.Fault) {
                _ = try TokenFile.read(path, hasRoles: hasRoles)
            } catch {
                faults.append(
                    SettingFault(
                        variable: setting.declaration.name,
                        wrong: "\(ShownValue.text(path)): \(error.description)",
                        expected: hasRoles ? "a file with lines NAME ROLE TOKEN" : "a file with lines NAME TOKEN",
                        mend: "correct the file or its permissions"
                    )
                )
            }
        }
        do throws(WebTokenFault) {
            _ = try verifier(in: settings)
        } catch {
            faults.append(
                SettingFault(
                    variable: webKey.declaration.name,
                    wrong: error.description,
                    expected: "the key of \(settings[webAlgorithm].rawValue)",
                    mend: "correct the file, or WARREN_JWT_ALGORITHM"
                )
            )
        }
        return faults
    }

    /// Who may use the operations API.
    func operations(in settings: Settings, logger: Logger) throws -> OperationsAccess {
        OperationsAccess(tokens: try tokens(operationsTokens, hasRoles: true, in: settings, logger: logger))
    }

    /// Who may use the service's own API.
    func api(in settings: Settings, logger: Logger) throws -> APIAccess {
        var access = APIAccess()
        access.tokens = try tokens(apiTokens, hasRoles: false, in: settings, logger: logger)
        if let verifier = try verifier(in: settings) {
            access.webTokens = { (text) throws(WebTokenFault) -> WebToken in try verifier.verify(text) }
        }
        return access
    }

    private func tokens(
        _ setting: Setting<String?>,
        hasRoles: Bool,
        in settings: Settings,
        logger: Logger
    ) throws -> (@Sendable () -> AccessTokens)? {
        guard let path = settings[setting] else { return nil }
        let file = try TokenFile(path, hasRoles: hasRoles, logger: logger)
        return { file.tokens }
    }

    private func verifier(in settings: Settings) throws(WebTokenFault) -> WebTokenVerifier? {
        guard let path = settings[webKey] else { return nil }
        let text: String
        do throws(SettingFile.Failure) {
            text = try SettingFile.read(path)
        } catch {
            throw WebTokenFault("the file \(ShownValue.text(path)) cannot be read: \(error.reason)")
        }
        return try WebTokenVerifier(
            key: Array(text.utf8),
            algorithm: settings[webAlgorithm],
            issuer: settings[webIssuer],
            audience: settings[webAudience]
        )
    }

    private static func file(_ name: String, help: String) -> Setting<String?> {
        Setting(name, default: "", expected: "the path of a file", help: help, defaultNote: "none") { text in
            .some(text.isEmpty ? nil : text)
        }
    }
}
