import Dispatch
import FoundationEssentials
import Glibc

// A reader that went away is noticed by the failed write.
signal(SIGPIPE, SIG_IGN)

// Ctrl-C ends at once, whatever is waited for: every deed is whole on its service's side.
let interruptions = [SIGINT, SIGTERM].map { number in
    let source = DispatchSource.makeSignalSource(signal: number, queue: DispatchQueue(label: "warren.signals"))
    source.setEventHandler { _exit(128 + number) }
    source.activate()
    return source
}

let transport = NetworkTransport()
let code = await run(
    arguments: Array(Swift.CommandLine.arguments.dropFirst()),
    environment: ProcessInfo.processInfo.environment,
    output: .process(),
    http: transport
)
transport.close()
exit(code)
