import FoundationEssentials
import Glibc

// A reader that went away is noticed by the failed write.
signal(SIGPIPE, SIG_IGN)
let interruptions = Interruption.watch()

let transport = NetworkTransport()
let code = await run(
    arguments: Array(Swift.CommandLine.arguments.dropFirst()),
    environment: ProcessInfo.processInfo.environment,
    output: .process(),
    http: transport
)
transport.close()
exit(code)
