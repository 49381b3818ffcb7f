import CMicroHTTPD
import Glibc

/// What libmicrohttpd calls on its thread. A request's context is its `Exchange`, retained from the first line until the
/// request is completed.

private func daemon(_ context: UnsafeMutableRawPointer?) -> Daemon? {
    unsafe context.map { unsafe Unmanaged<Daemon>.fromOpaque($0).takeUnretainedValue() }
}

let onTarget: warren_mhd_target_callback = { context, target, connection in
    guard let daemon = unsafe daemon(context), let connection = unsafe connection else { return nil }
    let bytes = unsafe target.map { unsafe Array(UnsafeBufferPointer(start: $0, count: strlen($0))) } ?? []
    let exchange = daemon.begin(
        target: bytes.map { UInt8(bitPattern: $0) },
        on: unsafe ConnectionHandle(pointer: connection)
    )
    return unsafe Unmanaged.passRetained(exchange).toOpaque()
}

let onRequest: MHD_AccessHandlerCallback = { context, connection, url, method, version, data, size, requestContext in
    guard
        let daemon = unsafe daemon(context), let connection = unsafe connection, let size = unsafe size,
        let opaque = unsafe requestContext?.pointee
    else { return .NO }
    let exchange = unsafe Unmanaged<Exchange>.fromOpaque(opaque).takeUnretainedValue()
    let reader = unsafe RequestReader(
        daemon: daemon,
        exchange: exchange,
        connection: ConnectionHandle(pointer: connection)
    )
    let bytes = unsafe UnsafeRawBufferPointer(start: data, count: data == nil ? 0 : size.pointee)
    unsafe size.pointee = 0
    let method = unsafe method.map { unsafe String(cString: $0) } ?? ""
    // Both lie in the request's line, with the target and one more byte between them; more is a target that holds NUL, of
    // which a C string shows the beginning only.
    if let url = unsafe url, let version = unsafe version {
        let distance = unsafe version - url
        let isCut = distance > exchange.target.count + 1 && distance <= daemon.limits.headerSize
        if isCut { return reader.refuse("The request target holds NUL.", method: method) ? .YES : .NO }
    }
    return unsafe reader.advance(method: method, received: bytes) ? .YES : .NO
}

let onCompleted: MHD_RequestCompletedCallback = { context, connection, requestContext, _ in
    guard let opaque = unsafe requestContext?.pointee else { return }
    unsafe requestContext?.pointee = nil
    let exchange = unsafe Unmanaged<Exchange>.fromOpaque(opaque).takeRetainedValue()
    guard let connection = unsafe connection else { return }
    unsafe daemon(context)?.completed(exchange, on: ConnectionHandle(pointer: connection))
}

let onConnection: MHD_NotifyConnectionCallback = { context, connection, _, what in
    guard let daemon = unsafe daemon(context), let connection = unsafe connection else { return }
    let handle = unsafe ConnectionHandle(pointer: connection)
    if what == .CONNECTION_NOTIFY_STARTED {
        daemon.watch.connected(handle, socket: unsafe warren_mhd_socket(connection))
    } else {
        daemon.watch.disconnected(handle)
    }
}
