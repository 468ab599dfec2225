//! Shamir's secret sharing: a data key split between key groups, of which a threshold of groups gives it back.
//!
//! Arithmetic in GF(2^8) modulo x^8+x^4+x^3+x+1, one polynomial for each byte of the secret. No step branches on a secret or looks
//! it up in a table. Source: section 5 of the format page, `shamir/shamir.go` of sops.

use rand::RngCore as _;
use rand::rngs::OsRng;
use zeroize::Zeroizing;

/// A share: the y of each byte, then the one x.
pub(super) type Share = Zeroizing<Vec<u8>>;

/// Why shares do not give a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit(pub(super) &'static str);

/// Shares of a secret for as many groups, any `threshold` of which give it back.
pub(super) fn split(secret: &[u8], groups: usize, threshold: usize) -> Result<Vec<Share>, Unfit> {
    if threshold < 2 || threshold > groups {
        return Err(Unfit("the threshold must be at least 2 and at most the number of key groups"));
    }
    let last = u8::try_from(groups).map_err(|_| Unfit("there can be no more than 255 key groups"))?;
    let mut shares: Vec<Share> = (1..=last)
        .map(|x| {
            let mut share = Zeroizing::new(vec![0; secret.len() + 1]);
            share[secret.len()] = x;
            share
        })
        .collect();
    // Constant term first: the secret byte itself.
    let mut polynomial = Zeroizing::new(vec![0; threshold]);
    for (index, byte) in secret.iter().enumerate() {
        OsRng.fill_bytes(&mut polynomial);
        polynomial[0] = *byte;
        for (share, x) in shares.iter_mut().zip(1..=last) {
            share[index] = polynomial.iter().rev().fold(0, |y, coefficient| multiply(y, x) ^ coefficient);
        }
    }
    Ok(shares)
}

/// The secret that shares give, which is the right one when there are enough of them.
pub(super) fn combine(shares: &[Share]) -> Result<Zeroizing<Vec<u8>>, Unfit> {
    let length = shares.first().map_or(0, |share| share.len());
    if length < 2 || shares.iter().any(|share| share.len() != length) {
        return Err(Unfit("the shares of the key groups are not of one length"));
    }
    let points: Vec<u8> = shares.iter().map(|share| share[length - 1]).collect();
    if points.iter().enumerate().any(|(index, x)| *x == 0 || points[..index].contains(x)) {
        return Err(Unfit("two key groups hold the same share"));
    }
    let mut secret = Zeroizing::new(vec![0; length - 1]);
    for (share, x) in shares.iter().zip(&points) {
        // The polynomial that is 1 at this point and 0 at the others, at 0.
        let weight = points
            .iter()
            .filter(|other| *other != x)
            .fold(1, |weight, other| multiply(weight, multiply(*other, invert(*x ^ *other))));
        for (byte, y) in secret.iter_mut().zip(share.iter()) {
            *byte ^= multiply(*y, weight);
        }
    }
    Ok(secret)
}

/// The product, in as many steps for all factors.
fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    for _ in 0..8 {
        product ^= a & 0_u8.wrapping_sub(b & 1);
        a = (a << 1) ^ (0x1b & 0_u8.wrapping_sub(a >> 7));
        b >>= 1;
    }
    product
}

/// The inverse: the 254th power, since the 255th is 1.
fn invert(a: u8) -> u8 {
    // 254 = 2 + 4 + … + 128.
    let mut power = a;
    let mut inverse = 1;
    for _ in 0..7 {
        power = multiply(power, power);
        inverse = multiply(inverse, power);
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiplication_and_inversion_are_those_of_the_field() {
        assert_eq!(multiply(0x57, 0x83), 0xc1); // the example of FIPS 197, section 4.2
        for a in 1..=255 {
            assert_eq!(multiply(a, invert(a)), 1, "{a}");
        }
    }

    #[test]
    fn any_threshold_of_shares_gives_the_secret_and_fewer_do_not() {
        let secret = [7_u8; 32];
        for (groups, threshold) in [(2, 2), (3, 2), (3, 3), (7, 4), (255, 2)] {
            let shares = split(&secret, groups, threshold).unwrap();
            assert_eq!(shares.len(), groups);
            assert_eq!(*combine(&shares).unwrap(), secret);
            assert_eq!(*combine(&shares[groups - threshold..]).unwrap(), secret);
            assert_ne!(*combine(&shares[..threshold - 1]).unwrap(), secret, "{threshold} of {groups}");
        }
    }

    #[test]
    fn what_cannot_be_split_or_combined_is_refused() {
        for (groups, threshold) in [(3, 1), (3, 0), (3, 4), (256, 2)] {
            assert!(split(&[1; 32], groups, threshold).is_err(), "{threshold} of {groups}");
        }
        let share = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
        assert!(combine(&[]).is_err());
        assert!(combine(&[share(&[1, 1]), share(&[2, 1])]).is_err());
        assert!(combine(&[share(&[1, 1]), share(&[2, 3, 2])]).is_err());
        assert!(combine(&[share(&[1, 0]), share(&[2, 1])]).is_err());
    }
}
