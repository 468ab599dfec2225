//! Shamir's shares over GF(2^8), section 5 of the page.

/// Product modulo x^8+x^4+x^3+x+1.
fn mul(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        if b & 1 == 1 {
            product ^= a;
        }
        let carry = a & 0x80 != 0;
        a <<= 1;
        if carry {
            a ^= 0x1b;
        }
        b >>= 1;
    }
    product
}

fn inverse(a: u8) -> Option<u8> {
    (1..=255).find(|b| mul(a, *b) == 1)
}

/// The secret that shares give together. `None` where they cannot be of one split.
pub fn combine(shares: &[Vec<u8>]) -> Option<Vec<u8>> {
    let length = shares.first()?.len();
    if length < 2 || shares.iter().any(|share| share.len() != length) {
        return None;
    }
    let xs: Vec<u8> = shares.iter().map(|share| share[length - 1]).collect();
    if xs.iter().enumerate().any(|(index, x)| *x == 0 || xs[..index].contains(x)) {
        return None;
    }
    // The weight of each share at x = 0.
    let mut weights = Vec::new();
    for (index, own) in xs.iter().enumerate() {
        let mut weight = 1;
        for (_, x) in xs.iter().enumerate().filter(|(other, _)| *other != index) {
            weight = mul(weight, mul(*x, inverse(*x ^ own)?));
        }
        weights.push(weight);
    }
    let at =
        |place: usize| shares.iter().zip(&weights).fold(0, |sum, (share, weight)| sum ^ mul(share[place], *weight));
    Some((0..length - 1).map(at).collect())
}

/// A share for each x = 1, 2, …, of the polynomials whose higher coefficients `random` gives.
pub fn split(secret: &[u8], shares: usize, threshold: usize, random: &mut impl FnMut() -> u8) -> Vec<Vec<u8>> {
    let polynomials: Vec<Vec<u8>> =
        secret.iter().map(|byte| std::iter::once(*byte).chain((1..threshold).map(|_| random())).collect()).collect();
    (1..=shares)
        .map(|x| {
            let x = u8::try_from(x).expect("few shares");
            let at =
                |polynomial: &Vec<u8>| polynomial.iter().rev().fold(0, |sum, coefficient| mul(sum, x) ^ coefficient);
            polynomials.iter().map(at).chain([x]).collect()
        })
        .collect()
}
