// Little-endian integers and LEB128 varints: the alphabet of every byte format of the bank.
//
// ByteWriter appends to a string. ByteReader walks over bytes it does not own; a read past the end
// or a varint that is longer than need be makes it fail for good: check ok() once, after the last
// read.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace bank {

class ByteWriter {
 public:
  explicit ByteWriter(std::string* out) : out_(*out) {}

  void U8(uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void U32(uint32_t v) { Fixed(v); }
  void U64(uint64_t v) { Fixed(v); }
  void Varint(uint64_t v) {
    while (v >= 0x80) {
      U8(static_cast<uint8_t>(v | 0x80));
      v >>= 7;
    }
    U8(static_cast<uint8_t>(v));
  }
  void Raw(std::string_view bytes) { out_.append(bytes); }
  // A varint length, then the bytes.
  void String(std::string_view bytes) {
    Varint(bytes.size());
    Raw(bytes);
  }

 private:
  template <class T>
  void Fixed(T v) {
    char bytes[sizeof(T)];
    for (size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<char>(v >> (8 * i));
    out_.append(bytes, sizeof(T));
  }

  std::string& out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  uint8_t U8() { return static_cast<uint8_t>(Fixed<uint8_t>()); }
  uint32_t U32() { return Fixed<uint32_t>(); }
  uint64_t U64() { return Fixed<uint64_t>(); }
  uint64_t Varint() {
    uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint64_t byte = U8();
      if (!ok_) return 0;
      if (shift == 63 && byte > 1) break;
      if (shift > 0 && byte == 0) break;  // one value, one encoding
      v |= (byte & 0x7f) << shift;
      if (byte < 0x80) return v;
    }
    ok_ = false;
    return 0;
  }
  std::string_view Raw(uint64_t size) {
    if (!ok_ || size > rest_.size()) {
      ok_ = false;
      return {};
    }
    std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }
  std::string_view String() { return Raw(Varint()); }

  bool ok() const { return ok_; }
  bool done() const { return ok_ && rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  template <class T>
  T Fixed() {
    std::string_view bytes = Raw(sizeof(T));
    if (!ok_) return 0;
    T v = 0;
    for (size_t i = 0; i < sizeof(T); ++i) {
      v = static_cast<T>(v |
                         static_cast<T>(static_cast<T>(static_cast<uint8_t>(bytes[i])) << (8 * i)));
    }
    return v;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace bank
