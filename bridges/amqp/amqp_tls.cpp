#include "bridges/amqp/amqp_tls.hpp"

#include <array>
#include <stdexcept>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace switchboard::amqp {

namespace {

constexpr std::size_t tls_chunk_bytes = 16 * 1024; // of one record at most

std::string tls_trouble() {
  const auto code = ERR_get_error();
  ERR_clear_error();
  const auto* text = code ? ERR_reason_error_string(code) : nullptr;
  return text ? text : "OpenSSL refuses it";
}

int require_good_certificate(int good, X509_STORE_CTX*) { return good; }

struct x509_free {
  void operator()(X509* gone) const { X509_free(gone); }
};
struct bio_free {
  void operator()(BIO* gone) const { BIO_free(gone); }
};

std::string text_of(BIO* from) {
  char* data = nullptr;
  const auto size = BIO_get_mem_data(from, &data);
  return {data, static_cast<std::size_t>(size)};
}

} // namespace

expected<std::shared_ptr<const tls_context>> tls_context::make(const tls_options& how) {
  std::shared_ptr<tls_context> made{new tls_context};
  made->context_ = SSL_CTX_new(TLS_server_method());
  if (!made->context_)
    return {errc::internal, "TLS: " + tls_trouble()};
  auto* context = made->context_;
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS); // an idle connection keeps none
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  const auto failed = [](const std::string& file) {
    return expected<std::shared_ptr<const tls_context>>{errc::bad_format, file + ": " + tls_trouble()};
  };
  if (SSL_CTX_use_certificate_chain_file(context, how.certificate_file.c_str()) != 1)
    return failed(how.certificate_file);
  if (SSL_CTX_use_PrivateKey_file(context, how.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1)
    return failed(how.key_file);
  if (!how.ca_file.empty()) {
    if (SSL_CTX_load_verify_file(context, how.ca_file.c_str()) != 1)
      return failed(how.ca_file);
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(how.ca_file.c_str()));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (how.require_peer ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       require_good_certificate);
    made->asks_ = true;
  }
  made->common_name_ = how.login_from_common_name;
  return std::shared_ptr<const tls_context>{std::move(made)};
}

tls_context::~tls_context() { SSL_CTX_free(context_); }

tls_stream::tls_stream(std::shared_ptr<const tls_context> context)
    : context_(std::move(context)), stream_(SSL_new(context_->get())) {
  if (!stream_)
    throw std::runtime_error{"TLS: " + tls_trouble()};
  SSL_set_bio(stream_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_accept_state(stream_);
}

tls_stream::~tls_stream() { SSL_free(stream_); }

bool tls_stream::receive(std::string_view bytes, std::string& plain, std::string& wire) {
  ERR_clear_error();
  BIO_write(SSL_get_rbio(stream_), bytes.data(), static_cast<int>(bytes.size()));
  std::array<char, tls_chunk_bytes> chunk;
  bool open = true;
  for (;;) {
    const auto got = SSL_read(stream_, chunk.data(), static_cast<int>(chunk.size()));
    if (got > 0) {
      plain.append(chunk.data(), static_cast<std::size_t>(got));
      continue;
    }
    const auto why = SSL_get_error(stream_, got);
    open = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
    break;
  }
  take_output(wire);
  return open;
}

void tls_stream::send(std::string_view plain, std::string& wire) {
  ERR_clear_error();
  // Memory takes everything, so a record is never half written.
  for (std::size_t at = 0; at < plain.size(); at += tls_chunk_bytes) {
    const auto part = plain.substr(at, tls_chunk_bytes);
    if (SSL_write(stream_, part.data(), static_cast<int>(part.size())) <= 0)
      break;
    take_output(wire);
  }
}

bool tls_stream::close(std::string& wire) {
  if (std::exchange(closed_, true) || !SSL_is_init_finished(stream_))
    return false;
  ERR_clear_error();
  SSL_shutdown(stream_);
  take_output(wire);
  return !wire.empty();
}

void tls_stream::take_output(std::string& wire) {
  auto* out = SSL_get_wbio(stream_);
  if (const auto waiting = BIO_ctrl_pending(out); waiting > 0) {
    const auto before = wire.size();
    wire.resize(before + waiting);
    BIO_read(out, wire.data() + before, static_cast<int>(waiting));
  }
}

std::string tls_stream::certificate_user() const {
  const std::unique_ptr<X509, x509_free> shown{SSL_get1_peer_certificate(stream_)};
  if (!shown || SSL_get_verify_result(stream_) != X509_V_OK)
    return {};
  auto* subject = X509_get_subject_name(shown.get());
  if (!context_->login_from_common_name()) {
    const std::unique_ptr<BIO, bio_free> text{BIO_new(BIO_s_mem())};
    X509_NAME_print_ex(text.get(), subject, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    return text_of(text.get());
  }
  const auto at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  const auto* entry = at < 0 ? nullptr : X509_NAME_get_entry(subject, at);
  const std::unique_ptr<BIO, bio_free> text{BIO_new(BIO_s_mem())};
  if (!entry || ASN1_STRING_print_ex(text.get(), X509_NAME_ENTRY_get_data(entry), ASN1_STRFLGS_UTF8_CONVERT) <= 0)
    return {};
  return text_of(text.get());
}

} // namespace switchboard::amqp
