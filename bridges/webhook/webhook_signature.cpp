#include "bridges/webhook/webhook_signature.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace switchboard::webhook {

std::string hmac_sha256(std::string_view secret, std::string_view first, std::string_view then) {
  const std::string text = std::string{first}.append(then);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest, &size);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    hex += digits[digest[i] >> 4];
    hex += digits[digest[i] & 0xf];
  }
  return hex;
}

std::string signature(std::string_view secret, time_point now, std::string_view body) {
  const auto seconds = std::to_string(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
  return "t=" + seconds + ",v1=" + hmac_sha256(secret, seconds + ".", body);
}

std::string voipbin_signature(std::string_view secret, std::string_view body) {
  return "sha256=" + hmac_sha256(secret, body);
}

} // namespace switchboard::webhook
