#include "broker/password_hash.hpp"

#include <array>
#include <span>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/random.hpp"
#include "broker/base64.hpp"

namespace switchboard::broker {

namespace {

constexpr std::size_t salt_bytes = 4;

struct hash_algorithm {
  std::string_view name;
  const EVP_MD* (*digest)();
  std::size_t bytes;
};
constexpr hash_algorithm hash_algorithms[] = {
    {default_password_algorithm, EVP_sha256, 32},
    {"rabbit_password_hashing_sha512", EVP_sha512, 64},
    {"rabbit_password_hashing_md5", EVP_md5, 16},
};

const hash_algorithm* find_algorithm(std::string_view name) {
  for (const auto& each : hash_algorithms)
    if (each.name == name)
      return &each;
  return nullptr;
}

/// Salt, then the digest of salt and password.
std::string salted(std::string_view salt, std::string_view password, const hash_algorithm& how) {
  std::string all{salt};
  all += password;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_Digest(all.data(), all.size(), digest.data(), &size, how.digest(), nullptr);
  OPENSSL_cleanse(all.data(), all.size());
  std::string out{salt};
  out.append(reinterpret_cast<const char*>(digest.data()), size);
  return out;
}

} // namespace

password_hash hash_password(std::string_view password) {
  if (password.empty())
    return {};
  std::string salt(salt_bytes, '\0');
  fill_random(std::as_writable_bytes(std::span{salt}));
  return {to_base64(salted(salt, password, hash_algorithms[0]))};
}

expected<void> check_password_hash(const password_hash& kept) {
  const auto* how = find_algorithm(kept.algorithm);
  if (!how)
    return {errc::bad_format, "unknown password hashing algorithm '" + kept.algorithm + "'"};
  if (kept.hash.empty())
    return {};
  const auto bytes = from_base64(kept.hash);
  if (!bytes || bytes->size() != salt_bytes + how->bytes)
    return {errc::bad_format, "the password hash is not base64 of salt and hash"};
  return {};
}

bool is_password(std::string_view given, const password_hash& kept) {
  const auto* how = find_algorithm(kept.algorithm);
  const auto bytes = from_base64(kept.hash);
  if (given.empty() || !how || !bytes || bytes->size() != salt_bytes + how->bytes)
    return false;
  const auto made = salted(std::string_view{*bytes}.substr(0, salt_bytes), given, *how);
  return CRYPTO_memcmp(made.data(), bytes->data(), made.size()) == 0;
}

} // namespace switchboard::broker
