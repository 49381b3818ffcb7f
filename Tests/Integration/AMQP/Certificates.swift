import Foundation
import TestSupport

/// An authority, made on the fly with OpenSSL's command, and the certificates that it signs: PEM files in a folder of their
/// own, each with its key.
struct Certificates: Sendable {
    /// A certificate and its key.
    struct Identity: Sendable {
        let certificate: URL
        let key: URL
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    let folder: TemporaryFolder

    /// The authority's certificate.
    var authority: URL { folder.file("ca.pem") }

    /// Makes an authority.
    init(_ name: String = "Warren's tests") async throws {
        folder = try TemporaryFolder("certificates")
        try await Self.openssl(
            ["req", "-x509"] + Self.newKey + ["-subj", "/CN=\(name)", "-days", "2"]
                + ["-keyout", folder.file("ca.key").path, "-out", authority.path]
        )
    }

    /// Signs a certificate for that name, as `NAME.pem` and `NAME.key`.
    ///
    /// - Parameters:
    ///   - name: its common name.
    ///   - file: the files' name where it is another.
    ///   - dnsName: for a server, what clients have to call it.
    ///   - days: how long it is valid; one that is negative has expired.
    @discardableResult
    func identity(
        _ name: String,
        file: String? = nil,
        dnsName: String? = nil,
        days: Int = 2
    ) async throws -> Identity {
        let file = file ?? name
        let request = folder.file("\(file).csr").path
        let identity = Identity(certificate: folder.file("\(file).pem"), key: folder.file("\(file).key"))
        try await Self.openssl(
            ["req", "-new"] + Self.newKey + ["-subj", "/CN=\(name)", "-keyout", identity.key.path, "-out", request]
                + (dnsName.map { ["-addext", "subjectAltName=DNS:\($0)"] } ?? [])
        )
        try await Self.openssl([
            "x509", "-req", "-in", request, "-CA", authority.path, "-CAkey", folder.file("ca.key").path,
            // Not from a file, which two that are made at once would share.
            "-set_serial", "\(UInt32.random(in: 1 ... .max))", "-copy_extensions", "copy", "-days", "\(days)", "-out",
            identity.certificate.path,
        ])
        return identity
    }

    private static let newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]

    /// OpenSSL's command.
    static let command = URL(fileURLWithPath: "/usr/bin/openssl")

    private static func openssl(_ arguments: [String]) async throws {
        let done = try await ChildProcess.run(command, arguments)
        guard done.end == .exit(0) else {
            throw Failure(description: "openssl \(arguments.joined(separator: " ")): \(done.end)\n\(done.errors)")
        }
    }
}
