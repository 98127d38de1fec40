//! Which partition a key belongs to, computed as every Kafka client computes it.
//!
//! A CI job in Java and a sidecar in Rust that speak about one domain have to meet in one partition, or
//! their order is lost. So the hash is the murmur2 of the Java client, not this client's default.

const SEED: u32 = 0x9747_b28c;
const MULTIPLIER: u32 = 0x5bd1_e995;

/// The partition of a key: murmur2, made positive by its mask, modulo the number of partitions.
///
/// # Panics
/// When `partitions` is not positive; a topic has one at least.
pub fn partition_of(key: &[u8], partitions: i32) -> i32 {
    assert!(partitions > 0, "a topic has at least one partition");
    let positive = i32::try_from(murmur2(key) & 0x7fff_ffff).expect("31 bits fit");
    positive % partitions
}

fn murmur2(data: &[u8]) -> u32 {
    let mut words = data.chunks_exact(4);
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    for word in &mut words {
        let word = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        hash = hash.wrapping_mul(MULTIPLIER) ^ stir(word);
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

const fn stir(word: u32) -> u32 {
    let word = word.wrapping_mul(MULTIPLIER);
    (word ^ (word >> 24)).wrapping_mul(MULTIPLIER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_java_client() {
        // Vectors that the stock clients test themselves against.
        let known: [(&[u8], i32); 7] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
            (b"", 275_646_681),
        ];
        for (key, hash) in known {
            assert_eq!(murmur2(key).cast_signed(), hash, "{}", String::from_utf8_lossy(key));
        }
    }

    #[test]
    fn every_key_has_a_partition_of_the_topic() {
        for key in 0..1_000_u32 {
            let partition = partition_of(&key.to_be_bytes(), 12);
            assert!((0..12).contains(&partition));
        }
        assert_eq!(partition_of(b"anything", 1), 0);
    }
}
