import Glibc
import Synchronization

/// An SMTP server that takes every mail and counts it: the least that Notification can speak to.
final class MailSink: Sendable {
    let port: UInt16
    private let descriptor: Int32
    private let count = Atomic(0)

    /// How many mails were taken.
    var mails: Int { count.load(ordering: .relaxed) }

    init() throws {
        (descriptor, port) = try Loopback.listen()
        let thread = try Threads.start { [descriptor, weak self] in
            while true {
                let accepted = accept(descriptor, nil, nil)
                guard accepted >= 0, let self else { return }
                // A connection that gets no thread is closed, and its mail is tried again.
                guard let thread = try? Threads.start({ self.serve(Connection(descriptor: accepted)) }) else {
                    Glibc.close(accepted)
                    continue
                }
                pthread_detach(thread)
            }
        }
        pthread_detach(thread)
    }

    /// Takes no more connections.
    func close() {
        shutdown(descriptor, Int32(SHUT_RDWR))
    }

    private func serve(_ connection: Connection) {
        do {
            try connection.write("220 benchmark ESMTP\r\n")
            while let line = connection.line() {
                switch line.prefix(4).uppercased() {
                case "EHLO": try connection.write("250-benchmark\r\n250 8BITMIME\r\n")
                case "DATA":
                    try connection.write("354 go on\r\n")
                    while let text = connection.line(), text != "." {}
                    count.wrappingAdd(1, ordering: .relaxed)
                    try connection.write("250 taken\r\n")
                case "QUIT":
                    try connection.write("221 bye\r\n")
                    return
                default: try connection.write("250 ok\r\n")
                }
            }
        } catch {
            // The client has gone: nothing is owed to it.
        }
    }
}
