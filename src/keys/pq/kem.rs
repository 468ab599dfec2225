//! MLKEM768-X25519, also known as X-Wing: two key agreements at once, so that a file stays closed as long as either of them holds.
//!
//! Source: <https://filippo.io/hpke-pq>, which gathers draft-ietf-hpke-pq-03, draft-irtf-cfrg-hybrid-kems-07 and
//! draft-irtf-cfrg-concrete-hybrid-kems-02; FIPS 203 for ML-KEM, RFC 7748 for X25519. Function names there are in the comments here.
//!
//! The states of SHA-3 and what ML-KEM computes in between stay on the stack after use: these crates do not wipe them. Seeds, expanded
//! keys and shared secrets are wiped.

use hpke::generic_array::typenum::{Sum, U32, U96, U192, U1024};
use hpke::generic_array::{ArrayLength, GenericArray};
use hpke::kem::SharedSecret;
use hpke::rand_core::{CryptoRng, RngCore};
use hpke::{Deserializable, HpkeError, Serializable};
use ml_kem::kem::{Decapsulate as _, Encapsulate as _};
use ml_kem::{B32, Ciphertext, Encoded, EncodedSizeUser as _, KemCore, MlKem768};
use sha3::digest::{ExtendableOutput as _, Update as _, XofReader as _};
use sha3::{Digest as _, Sha3_256, Shake256};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

type DecapsulationKey = <MlKem768 as KemCore>::DecapsulationKey;
type EncapsulationKey = <MlKem768 as KemCore>::EncapsulationKey;

/// Lengths in bytes: of an ML-KEM-768 encapsulation key, of a ciphertext for it, of a seed and of an X25519 point.
const EK_PQ_LEN: usize = 1184;
const CT_PQ_LEN: usize = 1088;
const SEED_LEN: usize = 32;
const POINT_LEN: usize = 32;
/// The last input of the combiner.
const LABEL: &[u8] = br"\.//^\";

/// Bytes of a fixed length, as they travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wire<N: ArrayLength<u8>>(GenericArray<u8, N>);

/// A ciphertext of ML-KEM-768, then a point.
pub(super) type Encapsulated = Wire<Sum<U1024, U96>>;

impl<N: ArrayLength<u8>> Deserializable for Wire<N> {
    fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
        if bytes.len() != N::USIZE {
            return Err(HpkeError::IncorrectInputLength(N::USIZE, bytes.len()));
        }
        let mut wire = Wire(GenericArray::default());
        wire.0.copy_from_slice(bytes);
        Ok(wire)
    }
}

impl<N: ArrayLength<u8>> Serializable for Wire<N> {
    type OutputSize = N;

    fn write_exact(&self, buf: &mut [u8]) {
        buf.copy_from_slice(&self.0);
    }
}

/// An encapsulation key of ML-KEM-768, then a point. Both have been checked, so that nothing fails when a secret is made for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicKey(Wire<PublicKeyLen>);

type PublicKeyLen = Sum<U1024, U192>;

impl PublicKey {
    fn new(ek_pq: &EncapsulationKey, ek_t: &x25519_dalek::PublicKey) -> Self {
        let mut bytes = GenericArray::default();
        bytes[..EK_PQ_LEN].copy_from_slice(&ek_pq.as_bytes());
        bytes[EK_PQ_LEN..].copy_from_slice(ek_t.as_bytes());
        PublicKey(Wire(bytes))
    }

    fn parts(&self) -> Result<(EncapsulationKey, x25519_dalek::PublicKey), HpkeError> {
        let (ek_pq, ek_t) = self.0.0.split_at(EK_PQ_LEN);
        let encoded = <&Encoded<EncapsulationKey>>::try_from(ek_pq).map_err(|_| HpkeError::ValidationError)?;
        Ok((EncapsulationKey::from_bytes(encoded), point(ek_t)?))
    }
}

impl Serializable for PublicKey {
    type OutputSize = PublicKeyLen;

    fn write_exact(&self, buf: &mut [u8]) {
        self.0.write_exact(buf);
    }
}

impl Deserializable for PublicKey {
    fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
        let key = PublicKey(Wire::from_bytes(bytes)?);
        let (ek_pq, ek_t) = key.parts()?;
        // The modulus check of FIPS 203, section 7.2, which ml-kem leaves to its caller: it reduces coefficients silently.
        let reduced = PublicKey::new(&ek_pq, &ek_t) == key;
        // RFC 7748, section 6.1: with a point of low order every X25519 secret is zero, whatever the other side's key.
        let keeps_secrets = x25519_dalek::StaticSecret::from([0; POINT_LEN]).diffie_hellman(&ek_t).was_contributory();
        if reduced && keeps_secrets { Ok(key) } else { Err(HpkeError::ValidationError) }
    }
}

/// A secret key: what both secret keys are made from each time they are needed.
#[derive(Clone)]
pub(super) struct Seed(Zeroizing<[u8; SEED_LEN]>);

impl Seed {
    pub(super) fn random(rng: &mut (impl CryptoRng + RngCore)) -> Self {
        let mut seed = Seed(Zeroizing::default());
        rng.fill_bytes(&mut *seed.0);
        seed
    }

    pub(super) fn as_bytes(&self) -> &[u8; SEED_LEN] {
        &self.0
    }

    pub(super) fn public_key(&self) -> PublicKey {
        let (dk_pq, dk_t) = self.expand();
        PublicKey::new(dk_pq.encapsulation_key(), &(&dk_t).into())
    }

    /// `expandKey`. Both secret keys wipe themselves.
    fn expand(&self) -> (DecapsulationKey, x25519_dalek::StaticSecret) {
        let mut xof = Shake256::default().chain(*self.0).finalize_xof();
        let (mut d, mut z, mut seed_t) = (B32::default(), B32::default(), Zeroizing::new([0; SEED_LEN]));
        for part in [d.as_mut_slice(), z.as_mut_slice(), seed_t.as_mut_slice()] {
            xof.read(part);
        }
        let (dk_pq, _) = MlKem768::generate_deterministic(&d, &z);
        for part in [d.as_mut_slice(), z.as_mut_slice()] {
            part.zeroize();
        }
        (dk_pq, x25519_dalek::StaticSecret::from(*seed_t))
    }
}

impl PartialEq for Seed {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }
}

impl Eq for Seed {}

impl Serializable for Seed {
    type OutputSize = U32;

    fn write_exact(&self, buf: &mut [u8]) {
        buf.copy_from_slice(&*self.0);
    }
}

impl Deserializable for Seed {
    fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
        if bytes.len() != SEED_LEN {
            return Err(HpkeError::IncorrectInputLength(SEED_LEN, bytes.len()));
        }
        let mut seed = Seed(Zeroizing::default());
        seed.0.copy_from_slice(bytes);
        Ok(seed)
    }
}

pub(super) struct MlKem768X25519;

impl hpke::Kem for MlKem768X25519 {
    type PublicKey = PublicKey;
    type PrivateKey = Seed;
    type EncappedKey = Encapsulated;
    type NSecret = U32;
    const KEM_ID: u16 = 0x647a;

    fn sk_to_pk(seed: &Seed) -> PublicKey {
        seed.public_key()
    }

    /// `DeriveKeyPair`, with `SHAKE256.LabeledDerive` written out.
    fn derive_keypair(ikm: &[u8]) -> (Seed, PublicKey) {
        let mut xof = Shake256::default()
            .chain(ikm)
            .chain(b"HPKE-v1")
            .chain(b"KEM")
            .chain(Self::KEM_ID.to_be_bytes())
            .chain([0, 13])
            .chain(b"DeriveKeyPair")
            .chain([0, 32])
            .finalize_xof();
        let mut seed = Seed(Zeroizing::default());
        xof.read(&mut *seed.0);
        let public = seed.public_key();
        (seed, public)
    }

    /// `Encaps`.
    fn encap<R: CryptoRng + RngCore>(
        recipient: &PublicKey,
        sender: Option<(&Seed, &PublicKey)>,
        rng: &mut R,
    ) -> Result<(SharedSecret<Self>, Encapsulated), HpkeError> {
        // The modes of HPKE that authenticate the sender need a KEM that can; this one cannot.
        if sender.is_some() {
            return Err(HpkeError::EncapError);
        }
        let (ek_pq, ek_t) = recipient.parts()?;
        let (ct_pq, mut ss_pq) = ek_pq.encapsulate(rng).map_err(|()| HpkeError::EncapError)?;
        let dk_e = x25519_dalek::EphemeralSecret::random_from_rng(rng);
        let ct_t = x25519_dalek::PublicKey::from(&dk_e);
        let ss_t = dk_e.diffie_hellman(&ek_t);
        let secret = combine(&ss_pq, &ss_t, &ct_t, &ek_t);
        ss_pq.as_mut_slice().zeroize();
        let mut bytes = GenericArray::default();
        bytes[..CT_PQ_LEN].copy_from_slice(&ct_pq);
        bytes[CT_PQ_LEN..].copy_from_slice(ct_t.as_bytes());
        Ok((secret, Wire(bytes)))
    }

    /// `Decaps`.
    fn decap(
        seed: &Seed,
        sender: Option<&PublicKey>,
        encapsulated: &Encapsulated,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        if sender.is_some() {
            return Err(HpkeError::DecapError);
        }
        let (ct_pq, ct_t) = encapsulated.0.split_at(CT_PQ_LEN);
        let ct_pq = <&Ciphertext<MlKem768>>::try_from(ct_pq).map_err(|_| HpkeError::DecapError)?;
        let ct_t = point(ct_t)?;
        let (dk_pq, dk_t) = seed.expand();
        let ss_t = dk_t.diffie_hellman(&ct_t);
        // RFC 7748, section 6.1, as above: here the sender would fix the X25519 secret.
        if !ss_t.was_contributory() {
            return Err(HpkeError::DecapError);
        }
        let mut ss_pq = dk_pq.decapsulate(ct_pq).map_err(|()| HpkeError::DecapError)?;
        let secret = combine(&ss_pq, &ss_t, &ct_t, &(&dk_t).into());
        ss_pq.as_mut_slice().zeroize();
        Ok(secret)
    }
}

/// The combiner. ML-KEM binds its ciphertext and key to its secret, X25519 does not, so both points go in.
fn combine(
    ss_pq: &[u8],
    ss_t: &x25519_dalek::SharedSecret,
    ct_t: &x25519_dalek::PublicKey,
    ek_t: &x25519_dalek::PublicKey,
) -> SharedSecret<MlKem768X25519> {
    let mut secret = SharedSecret::default();
    Sha3_256::default()
        .chain_update(ss_pq)
        .chain_update(ss_t)
        .chain_update(ct_t)
        .chain_update(ek_t)
        .chain_update(LABEL)
        .finalize_into(&mut secret.0);
    secret
}

fn point(bytes: &[u8]) -> Result<x25519_dalek::PublicKey, HpkeError> {
    let bytes: [u8; POINT_LEN] = bytes.try_into().map_err(|_| HpkeError::ValidationError)?;
    Ok(bytes.into())
}
