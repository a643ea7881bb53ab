// The map of this file: strict base64url, strict JSON, the two keys, the claims, then verifier and signer.
#include "runtime/jwt.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <optional>
#include <set>

#include <nlohmann/json.hpp>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include "base/ids.hpp"
#include "messages/envelope.hpp"

namespace switchboard::runtime {

namespace {

constexpr int token_depth_max = 8;
constexpr std::size_t hs256_secret_bytes_min = 32; // RFC 7518 3.2: not shorter than the hash
constexpr int rsa_bits_min = 2048;
constexpr std::size_t hash_bytes = 32;
constexpr double year_9999 = 253402300799.0; // the last second our envelopes can print

struct free_key {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct free_digest {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct free_mac {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
struct free_bio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct free_number {
  void operator()(BIGNUM* number) const { BN_free(number); }
};
using key_ptr = std::unique_ptr<EVP_PKEY, free_key>;
using mac_ptr = std::unique_ptr<EVP_MAC_CTX, free_mac>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

error refused(std::string_view why) { return {errc::access_refused, std::string{why}}; }

// -- base64url (RFC 4648 section 5), strict: no padding, no other character, no spare bits ---------------------------

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr auto digit_values = [] {
  std::array<signed char, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<signed char>(i);
  return values;
}();

std::string encode_base64url(std::string_view bytes) {
  std::string text;
  unsigned held = 0;
  int bits = 0;
  for (const char byte : bytes) {
    held = (held << 8 | static_cast<unsigned char>(byte)) & 0xffff;
    for (bits += 8; bits >= 6; bits -= 6)
      text += alphabet[held >> (bits - 6) & 63];
  }
  if (bits > 0)
    text += alphabet[held << (6 - bits) & 63];
  return text;
}

std::optional<std::string> decode_base64url(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  unsigned held = 0;
  int bits = 0;
  for (const char c : text) {
    const int value = digit_values[static_cast<unsigned char>(c)];
    if (value < 0)
      return std::nullopt;
    held = (held << 6 | static_cast<unsigned>(value)) & 0xffff;
    if (bits += 6; bits >= 8)
      bytes += static_cast<char>(held >> (bits -= 8) & 255);
  }
  // A lone digit, or bits that no byte holds: two texts would mean the same bytes.
  if (bits >= 6 || (held & ((1U << bits) - 1)) != 0)
    return std::nullopt;
  return bytes;
}

// -- JSON -----------------------------------------------------------------------------------------------------------

/// Parsers differ in which of two equal members counts, so tokens with two are nobody's.
bool has_duplicate_member(const std::string& text) {
  std::vector<std::set<std::string>> open;
  bool found = false;
  const json::parser_callback_t watch = [&](int, json::parse_event_t what, json& value) {
    if (what == json::parse_event_t::object_start)
      open.emplace_back();
    else if (what == json::parse_event_t::object_end)
      open.pop_back();
    else if (what == json::parse_event_t::key)
      found = !open.back().insert(value.get<std::string>()).second || found;
    return true;
  };
  const auto parsed = json::parse(text, watch, false);
  return found || parsed.is_discarded();
}

std::optional<json> decode_part(std::string_view part) {
  const auto text = decode_base64url(part);
  if (!text)
    return std::nullopt;
  auto parsed = parse_json(*text, jwt_bytes_max, token_depth_max);
  if (!parsed || !parsed->is_object() || has_duplicate_member(*text))
    return std::nullopt;
  return *std::move(parsed);
}

const json* find(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

bool is_text(const json* value, std::string_view expected_text) {
  return value && value->is_string() && value->get_ref<const std::string&>() == expected_text;
}

// -- keys: each knows its one algorithm -----------------------------------------------------------------------------

class hs256_key {
public:
  static expected<hs256_key> make(std::string_view secret) {
    if (secret.size() < hs256_secret_bytes_min)
      return {errc::bad_format, "the HS256 secret is shorter than 32 bytes"};
    if (secret.find("-----BEGIN") != secret.npos)
      return {errc::bad_format, "the HS256 secret is a PEM file: a public key is no secret"};
    std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> algorithm{EVP_MAC_fetch(nullptr, "HMAC", nullptr), EVP_MAC_free};
    char digest[] = "SHA256";
    const OSSL_PARAM settings[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
    mac_ptr ready{algorithm ? EVP_MAC_CTX_new(algorithm.get()) : nullptr};
    if (!ready || EVP_MAC_init(ready.get(), bytes_of(secret), secret.size(), settings) != 1)
      return {errc::internal, "OpenSSL has no HMAC with SHA-256"};
    return hs256_key{std::move(ready)};
  }

  std::optional<std::array<unsigned char, hash_bytes>> sign(std::string_view text) const {
    std::array<unsigned char, hash_bytes> out{};
    std::size_t size = 0;
    const mac_ptr work{EVP_MAC_CTX_dup(ready_.get())};
    if (!work || EVP_MAC_update(work.get(), bytes_of(text), text.size()) != 1 ||
        EVP_MAC_final(work.get(), out.data(), &size, out.size()) != 1 || size != out.size())
      return std::nullopt;
    return out;
  }

  bool verify(std::string_view text, std::string_view signature) const {
    const auto ours = sign(text);
    return ours && signature.size() == ours->size() && CRYPTO_memcmp(ours->data(), signature.data(), ours->size()) == 0;
  }

private:
  explicit hs256_key(mac_ptr ready) : ready_(std::move(ready)) {}
  mac_ptr ready_; // keyed once, copied for every use
};

class rs256_key {
public:
  static expected<rs256_key> make(const std::string& pem) {
    std::unique_ptr<BIO, free_bio> source{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
    key_ptr key{source ? PEM_read_bio_PUBKEY(source.get(), nullptr, nullptr, nullptr) : nullptr};
    if (!key)
      return {errc::bad_format, "the RS256 key is not a public key in PEM"};
    if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA)
      return {errc::bad_format, "the RS256 key is not an RSA key"};
    if (EVP_PKEY_get_bits(key.get()) < rsa_bits_min)
      return {errc::bad_format, "the RS256 key is shorter than 2048 bits"};
    BIGNUM* read = nullptr;
    EVP_PKEY_get_bn_param(key.get(), OSSL_PKEY_PARAM_RSA_E, &read);
    const std::unique_ptr<BIGNUM, free_number> exponent{read};
    if (!exponent || !BN_is_odd(exponent.get()) || BN_is_one(exponent.get()))
      return {errc::bad_format, "the RS256 key has an exponent that protects nothing"};
    return rs256_key{std::move(key)};
  }

  bool verify(std::string_view text, std::string_view signature) const {
    const std::unique_ptr<EVP_MD_CTX, free_digest> work{EVP_MD_CTX_new()};
    return work && EVP_DigestVerifyInit(work.get(), nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
           EVP_DigestVerify(work.get(), bytes_of(signature), signature.size(), bytes_of(text), text.size()) == 1;
  }

private:
  explicit rs256_key(key_ptr key) : key_(std::move(key)) {}
  key_ptr key_;
};

// -- claims ---------------------------------------------------------------------------------------------------------

/// NumericDate: a JSON number, finite, from 1970 to 9999.
std::optional<time_point> numeric_date(const json& value) {
  if (!value.is_number())
    return std::nullopt;
  const auto seconds = value.get<double>();
  if (!std::isfinite(seconds) || seconds < 0 || seconds > year_9999)
    return std::nullopt;
  return time_point{milliseconds{static_cast<milliseconds::rep>(seconds * 1000.0)}};
}

bool names_audience(const json* aud, std::string_view ours) {
  if (aud && aud->is_array())
    return std::any_of(aud->begin(), aud->end(), [&](const json& one) { return is_text(&one, ours); });
  return is_text(aud, ours);
}

/// `optional` true: absent is as good as empty.
bool read_identity(const json& from, const char* name, bool optional, std::string& to) {
  const auto* value = find(from, name);
  if (!value)
    return optional;
  if (!value->is_string())
    return false;
  to = value->get<std::string>();
  return is_identity(to) || (optional && to.empty());
}

expected<claims> read_claims(const json& from, const jwt_options& how, time_point now) {
  const auto* exp = find(from, "exp");
  const auto expires = exp ? numeric_date(*exp) : std::nullopt;
  if (!expires)
    return refused("the token has no usable exp");
  if (now >= *expires + how.leeway)
    return refused("the token has expired");
  if (const auto* nbf = find(from, "nbf")) {
    const auto begins = numeric_date(*nbf);
    if (!begins || now + how.leeway < *begins)
      return refused("the token is not valid yet");
  }
  if (const auto* iat = find(from, "iat"); iat && !numeric_date(*iat))
    return refused("the token has no usable iat");
  if (!how.issuer.empty() && !is_text(find(from, "iss"), how.issuer))
    return refused("the token is of another issuer");
  if (!how.audience.empty() && !names_audience(find(from, "aud"), how.audience))
    return refused("the token is for another audience");
  claims who;
  who.expires = *expires;
  if (!read_identity(from, "customer_id", false, who.customer_id))
    return refused("the token has no usable customer_id");
  if (!read_identity(from, "agent_id", true, who.agent_id))
    return refused("the token has no usable agent_id");
  return who;
}

/// RFC 7515 4.1.9: "JWT" in any case; absent is allowed.
bool is_jwt_type(const json* typ) {
  if (!typ)
    return true;
  if (!typ->is_string())
    return false;
  auto text = typ->get<std::string>();
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text == "JWT";
}

// -- verifier -------------------------------------------------------------------------------------------------------

class verifier final : public jwt_verifier {
public:
  verifier(jwt_options how, std::optional<hs256_key> hs256, std::optional<rs256_key> rs256)
      : how_(std::move(how)), hs256_(std::move(hs256)), rs256_(std::move(rs256)) {}

  expected<claims> verify(std::string_view token, time_point now) const override {
    if (token.size() > jwt_bytes_max)
      return refused("the token is over 8 KiB");
    const auto first = token.find('.');
    const auto second = first == token.npos ? token.npos : token.find('.', first + 1);
    if (second == token.npos || token.find('.', second + 1) != token.npos)
      return refused("not a token of three parts");
    const auto header = decode_part(token.substr(0, first));
    const auto signature = decode_base64url(token.substr(second + 1));
    if (!header || !signature)
      return refused("the token is not base64url and JSON");
    // Extensions we don't know must be refused (RFC 7515 4.1.11), and we know none.
    if (header->contains("crit") || !is_jwt_type(find(*header, "typ")))
      return refused("the token wants something this node does not know");
    if (!is_signed(find(*header, "alg"), token.substr(0, second), *signature))
      return refused("the token's signature is not of a key of this node");
    const auto payload = decode_part(token.substr(first + 1, second - first - 1));
    if (!payload)
      return refused("the token is not base64url and JSON");
    return read_claims(*payload, how_, now);
  }

private:
  /// `alg` only says which of the configured keys to ask; each key has one algorithm and no other.
  bool is_signed(const json* alg, std::string_view text, std::string_view signature) const {
    if (is_text(alg, "HS256"))
      return hs256_ && hs256_->verify(text, signature);
    if (is_text(alg, "RS256"))
      return rs256_ && rs256_->verify(text, signature);
    return false;
  }

  const jwt_options how_;
  const std::optional<hs256_key> hs256_;
  const std::optional<rs256_key> rs256_;
};

} // namespace

expected<std::shared_ptr<const jwt_verifier>> jwt_verifier::make(jwt_options options) {
  if (options.leeway < milliseconds{0} || options.leeway > milliseconds{60'000})
    return {errc::bad_format, "the leeway for tokens is 0 to 60 s"};
  std::optional<hs256_key> hs256;
  std::optional<rs256_key> rs256;
  if (!options.hs256_secret.empty()) {
    auto made = hs256_key::make(options.hs256_secret);
    if (!made)
      return made.error();
    hs256 = *std::move(made);
  }
  if (!options.rs256_public_key_pem.empty()) {
    auto made = rs256_key::make(options.rs256_public_key_pem);
    if (!made)
      return made.error();
    rs256 = *std::move(made);
  }
  OPENSSL_cleanse(options.hs256_secret.data(), options.hs256_secret.size());
  options.hs256_secret.clear();
  return std::shared_ptr<const jwt_verifier>{
      std::make_shared<verifier>(std::move(options), std::move(hs256), std::move(rs256))};
}

std::string sign_hs256(const claims& who, std::string_view secret, time_point now, const std::string& issuer,
                       const std::string& audience) {
  const auto seconds = [](time_point at) { return at.time_since_epoch().count() / 1000; };
  json body{{"customer_id", who.customer_id}, {"exp", seconds(who.expires)}, {"iat", seconds(now)}};
  if (!who.agent_id.empty())
    body["agent_id"] = who.agent_id;
  if (!issuer.empty())
    body["iss"] = issuer;
  if (!audience.empty())
    body["aud"] = audience;
  auto text = encode_base64url(R"({"alg":"HS256","typ":"JWT"})") + "." + encode_base64url(body.dump());
  const auto key = hs256_key::make(secret);
  const auto signature = key ? key->sign(text) : std::nullopt;
  if (!signature)
    return {};
  return text + "." + encode_base64url({reinterpret_cast<const char*>(signature->data()), signature->size()});
}

} // namespace switchboard::runtime
