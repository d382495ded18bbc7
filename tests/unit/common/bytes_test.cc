// What is written is read back; what is cut, too long or over-long fails and stays failed.
#include "common/bytes.h"

#include <gtest/gtest.h>

namespace bank {
namespace {

TEST(Bytes, RoundTrip) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.U8(7);
  writer.U32(0xdeadbeef);
  writer.U64(0x0123456789abcdef);
  for (uint64_t v : {uint64_t{0}, uint64_t{127}, uint64_t{128}, ~uint64_t{0}}) writer.Varint(v);
  writer.String("shared");

  ByteReader reader(bytes);
  EXPECT_EQ(reader.U8(), 7);
  EXPECT_EQ(reader.U32(), 0xdeadbeef);
  EXPECT_EQ(reader.U64(), 0x0123456789abcdef);
  for (uint64_t v : {uint64_t{0}, uint64_t{127}, uint64_t{128}, ~uint64_t{0}}) {
    EXPECT_EQ(reader.Varint(), v);
  }
  EXPECT_EQ(reader.String(), "shared");
  EXPECT_TRUE(reader.done());
}

TEST(Bytes, EveryPrefixFails) {
  std::string bytes;
  ByteWriter writer(&bytes);
  writer.U64(1);
  writer.Varint(300);
  writer.String("abc");
  for (size_t size = 0; size < bytes.size(); ++size) {
    ByteReader reader(std::string_view(bytes).substr(0, size));
    reader.U64();
    reader.Varint();
    reader.String();
    EXPECT_FALSE(reader.ok()) << size;
  }
}

TEST(Bytes, VarintBeyond64BitsFails) {
  ByteReader reader("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02");
  reader.Varint();
  EXPECT_FALSE(reader.ok());
}

TEST(Bytes, VarintWithNeedlessBytesFails) {
  ByteReader reader(std::string_view("\x81\x00", 2));
  reader.Varint();
  EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace bank
