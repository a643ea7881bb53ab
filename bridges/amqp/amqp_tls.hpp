// TLS for AMQPS (RFC 8446, 5246) without sockets: bytes of the wire in, plain bytes out, and back. The session keeps
// its one way of reading and writing; OpenSSL only sees memory.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/expected.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace switchboard::amqp {

struct tls_options {
  std::string certificate_file; ///< PEM, the chain with it
  std::string key_file;         ///< PEM
  std::string ca_file;          ///< PEM: who signs clients' certificates; empty: none are asked for
  bool require_peer = false;    ///< a client without a certificate is refused
  /// What a client's certificate says of its user for EXTERNAL: the subject's common name, not all of the subject.
  bool login_from_common_name = false;
};

/// Shared by all sessions of a listener; thread-safe once made.
class tls_context {
public:
  /// errc::bad_format names the file and what is wrong with it.
  static expected<std::shared_ptr<const tls_context>> make(const tls_options& how);
  ~tls_context();
  tls_context(const tls_context&) = delete;
  tls_context& operator=(const tls_context&) = delete;

  ssl_ctx_st* get() const noexcept { return context_; }
  bool asks_for_certificates() const noexcept { return asks_; }
  bool login_from_common_name() const noexcept { return common_name_; }

private:
  tls_context() = default;
  ssl_ctx_st* context_ = nullptr;
  bool asks_ = false;
  bool common_name_ = false;
};

/// The server's side of one connection. Not thread-safe.
class tls_stream {
public:
  explicit tls_stream(std::shared_ptr<const tls_context> context);
  ~tls_stream();
  tls_stream(const tls_stream&) = delete;
  tls_stream& operator=(const tls_stream&) = delete;

  /// Takes bytes of the wire: plain ones are appended to `plain`, what must be sent at once to `wire`. False if the
  /// connection is over: the peer has said so, or has broken the protocol (`wire` then holds the alert).
  bool receive(std::string_view bytes, std::string& plain, std::string& wire);
  /// Encrypts. Precondition: something plain has been received, so the handshake is done.
  void send(std::string_view plain, std::string& wire);

  /// Says that nothing more will be sent; false if that was said before.
  bool close(std::string& wire);

  /// The user that the client's certificate names, as RabbitMQ reads it (ssl_cert_login_from); empty if the client has
  /// shown none.
  std::string certificate_user() const;
  bool asks_for_certificates() const noexcept { return context_->asks_for_certificates(); }

private:
  void take_output(std::string& wire);

  const std::shared_ptr<const tls_context> context_;
  ssl_st* stream_;
  bool closed_ = false;
};

} // namespace switchboard::amqp
