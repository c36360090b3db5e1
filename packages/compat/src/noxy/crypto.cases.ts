/**
 * What the ML-KEM libraries of Noxy's published agent SDKs sealed to the key of seed 0, 1, … 63: kybercffi 1.0.1 (noxy-sdk
 * 2.2.0 for Python, which also did the rest) and pqcrypto-kyber 0.8.0 and 0.8.1 (noxy-sdk 2.2.0 for Rust). All base64url.
 */
export const plaintext =
  '{"kind": "propose_tool_call", "tool": "transfer_funds", "args": {"amountWei": 12345678901234567890}}';

export const sealedElsewhere = {
  "kybercffi 1.0.1": {
    kemCiphertext: [
      "DoX_jqCmBdxG2ZkHDrBMUw_Y59djCu-_CCNb0S9CRW76HBbxRyff8QhXpbnHmLgdV3h5gu28U8XQa5f853TQEJJ8_yxAHG8vKg5S",
      "Uyo0VUh8Rn6IgK8dBkRGoYILo_L5mUZGHGfTtC0a3nMinhkJyCkYlM0k-AGuE4DXEZ4N3UlxUBVFw6Y54JXKP0Qs5i3M1L09Yb0Q",
      "_SyLa8XLDTSklXVWQwKYO4mGodc4upeFpgc05WI0_EUPysEYldFk2wXMraW6I1VicE4Fadddg9G0KD78Cl9vaOr3wIiWJrr7Cpkd",
      "fth3kGjExPh1RLT9WLBr6YgMLumeBzGcABGHVRz02Z3IcOPv8Uw5CJWc1WzCCnOXNMU3rGvEP8hdGXoj_GkYk0kaZnxwc5YYztMX",
      "HZfE3oeSV6jLXLameMq3ySoTsfRTjwgFurtatcbkLOuJnJ-Ty55FOt8YcFwyADlkPo8y82x4VLTO6KhfHUXyXdHO0EEDIu5d_Wra",
      "tdxYMEZKIMBt_BljpDVo5ggNO_YsX4Cf0GbWWgRk58yjRgMtTDRuRfcrtIXKXUpaq-BfrB74_K1mFTv76zpWb-EsnmC-JU0bBmE9",
      "FwPFhM0JJGNOfy6WzkQ05Ci886IvkI_0bI-B4WM5JWspyuFKA6DOotuZmuDEfrE37eq6eOkiGtSAW8vNp5MNGUbqY9PYWDdwpMN9",
      "3DHZ6eN-GDA5zETlp3JQgTVrCI6LBIuiMGQYAbgHFyakNfmAuvKQ5DDGHleKk_8JjLi5hGJr4cHZKkEVoDlPJ1oAHm2PVaulzO6a",
      "WOMRLYZStl6WULQSd-LGidw349Rq3eQ8Arpg3xVgluPt1PESIMmAtWNBVO5YIvKgMgVVXCPCs8I_ypn7e92LoISAlhj8Bc6EHLAf",
      "yf9fKHjXjAlJRxZzpNQaEmjDueOJFc5sqvxcSniIpL2lf85vheV8a0NU6uB-Dgnqgn-febqpgUdlSoNgMKIdLsAxnmfVusNRJ6NO",
      "uauciCEd8j5S6wcnTL-pCqpAke9OebYvXXEGL2GTvhOU5hqs-7LGJ410d7nq3XTXsLEif0lVKkxqjk6xNxu-s2mzpbgtcLeJbMUh",
      "Uz0anSRqKHT682Mo_VgqEbsBW0nGPbotZ61h4thwCwwZUDiGnru4nRzq3Ee1vAZHVT16Fec5oH5RSUCrbsIsFDqiz4wX-Lt6HhqR",
      "l5BOyXYN7RwOjZRFY_OEsPOVeb00kWsIi_YkqHca0PVtseAqXBpGHaaIRuShTb1PWL6rylBDriFENzy2jco_e5_QnxcwZfJu2Igw",
      "CET-4NJjZnolONbiljMYlYMcSqX7ngBnDCXIrANnrtBhSVL60vsNLBUfyqEln3dXYfBD2tjBzgaFgEateqJ-RlI1dSRi0ks4luBx",
      "RTaI6-uUfbO8ShfyU-RqMH9GeWGtx6JV3WlATNt4qkYZ8EWX9Ag",
    ].join(""),
    nonce: "HiJ0vQwPSGZigDfk",
    ciphertext: [
      "7eqgNxEp3K2lJG2uSS03hFOODSS4zX4xpYs1q6zN4o8tCnnQWBvvl_mNM6vMhandjQb6pO9yXmEUBsC65Pg3vNgyWrkUx1kTZHIc",
      "xbYPnr0RFuxG5Cn7fW025APWB7ELCCFZpsRihSO8l3_2ncDf_JToTbk",
    ].join(""),
  },
  "pqcrypto-kyber 0.8.0": {
    kemCiphertext: [
      "f8t7bG1yS82cGIpq-zO-e_ThXBBsQDpgEdzVbvZ7oBOr81JaXY0ShELv6q2PWMut-l26636ERbE4hBQryBGygNUn9N6nHl12rcS4",
      "Bpjxs1nvfuMdqglQy2IpswER77GxvY-gO776KwXH_2KFdOzrjuBF_3wu2x7l1ptMiNc5p1ie-29yAGQAavMKZHD3BAWf2mBtNndS",
      "QZ414LU8dIUizufRiKCDncsvXjbRnPQXj27itjZrf01rII7r9aTyHySN8t5bXSxWs2zzArexu6guEfSsH-hpE1xqJKCJkmqce9Ne",
      "RXLiqohpuuDnrjVtjQUiRwnR0UU8UXdgfCfnC6cF_uNU4PIqSq8j8kJX8e5W2kvJhb5OUbgs8LRRKDGVZL9aRzSeHzmNrMJU2cB1",
      "6g9RJueIOJeqcvXkCp9_yWZy9qtLu9rdc0SIXhwWJklq327qUf1tNFnikIYX8t-obluUo2JwWZyvpOlExPa_5Gbq64svMfCnLOmr",
      "pmI55fNtVIGtY9NscsvB30kAlfGQ8YKJccdmF0QTRa4NuK8NwlnXNuuI5DqfBKNJeSvC3IATGcuWE8JvVlrWxcStFST5p5af2lJw",
      "KDBLJ_TGwoKs8NPGp8Z0DQDph0MF8vGJna5pnxp8_eEpqyMZQ9fkuVEhxtPeX5yfU_yfFKvTJTLor9_M2mmP68ERLy7frZJ6ZJdt",
      "vfQbFheZD1ENRdMOWGx0I8VSBjTzEdNQbreaJbNQ97tliXF8So9scpYvFqmqcQ6TQ35mUcvHH-Vo72_pPej0viEz0nfKP47sC50O",
      "lpg9GcvoJYiu9T3sMPC5x3bYi2DtUw0As7CEqa7hJHf1UkfDERSminvZ463MFgilIZwBuKh3hdDDiAx9IGArV3FyDi6ab6n7JBsK",
      "2pYIXJGlyYNO88XE0qkgT5CAWqljH8MK6_9lGa0XKGZM9sJet8U-K0Yc6U-c3rYe9dCSNhlH7C48OxKb-QM5pobZPCRLxD8VxGRj",
      "uTWToTqCipDKM3oSXFpB1pZT5IflsCtHQQVtWkC-tmwh9rbWU7ZiJMuAQVARpwKw2kco_Z2GuQ6_nOKiBYCrGxDDZedDXRnMpPGl",
      "W_PigPDnwb_99XD_tzzfaQhmlNGidIYo8Hnb7ht0Ha2zzv4hbX6xpXnoMHbjjAX5sS6--hQg8J9cywD-zEWQs6NIup5m8XPjSqXn",
      "_1WZV3IrEe0_EkUdvz8VGk1Np4GfJ_AhhvgH3Owc9KfY6dYl-cY0CSlDpO4bova7HKEOQ5YZ2u09XKlkjQFVOGV17-CqEVxKDnqL",
      "pfOTwmS-ltSj_GcNFs6zaayq4NoJhA-_joxM5JTIBjOFzdfq7fwlwl5pViu4h5BzcbNLZzGCnvXZqna95n5qSV_uv81khnhvowIF",
      "c-lCKIC4RNcu_1M6n-iqCnP9W8tlcc7iw0yMFx7hwCp-MEOxINI",
    ].join(""),
    nonce: "QI7ER4upgY3ySDoR",
    ciphertext: [
      "V1DiCa3LFMhCYRFJWcZEqcS0oCcBHdEowb4USFobBMVg9z5JZQjPhZ2hVO-dJWDUGaN5m_aLTpH0Ckokq3WTCN_eyAnPeE64eGJd",
      "wjBcgliIgtAR4dvC1_RMFuZWxdQXc3wV6qx_zEdP5QEktvkKaqmJOns",
    ].join(""),
  },
  "pqcrypto-kyber 0.8.1": {
    kemCiphertext: [
      "qNlsO4PfSH5u-cBr7yhywwRFeQJDVsEC1mjTUceAocQ0U3VRYi0jbTPC741qgWQ7McLd9kZgSXIMf2ZiIpwpfsxGYjiuYcYZsJfh",
      "7op8r0SiDVwo1IfUQA61rPOTFw2QS1P1gZe6ugSzGgqFAAG2stfE5ouAApofkpg8trkwPvLOoyWL7L6opXODlneVA871GTDm9GIi",
      "kaiXqshlZZOCG4sQX_oVSQdkFgE0aWBzW_KiJkelYaa6MeTFKG7svknpcXU95HXFMNEoHX2xVMtCsnxgWGZP5gDTjlSUcTZEhdBr",
      "oYonBr0NKeyrNEL4Ox2_HWO6qHuFA2cE_86TeT7R-h0fcOVW5rL56DZ8ju-MDc6qfClQ4M_TsekCvW3Ibs6bWau_KLQ5yUMz6v9O",
      "bIDPA-9H7z9NfCO0pD6JDLcCCPBh0na96ZQFZUQ0TTWM2ayOrx1fi1ymCvGlggZAhYe7s4LCyyGBjqIUZXXU4zLs6jzL8qEEVFx0",
      "673UiUX5_tS3yYbXlrxtvHH-eMD80tfNNHSuWwMR0nviJ8rCcFciiDjMkJxft00S7rvy04ht-r9ikiziD_UuVcEBEeUpiqFFcYOb",
      "71OAizJ26Xa4WFVNjacRdC5TnwiME_OObUP9t-ZYMgqKUbezRvJthCfWQu6UjYHrwzCuGzMzTuhdZaB61rXXgkGDPpoI5PK16uOi",
      "uvOmvHOzsCX5sUkC0ssrcvTN1vpwK5VAQnKz1W9nMo4vnkQQiYzGP6YRoSdQc80vR95k-kGXkJVsNSUms4w01OTdxppLrqoRK445",
      "Lh_9GOA_WuFEmiUADfXI4_gc1HtAzD8XXNDcg7rdHd1ysVlaYcjwxecVTKsy5I6dDbLUZC3di5dlTOb2BpZ57iyvave9CYXxDAtg",
      "v_LgqSb-Tc3mr0XoYrVhiIldDJGO08lnJamWY62dTl9LUlQk6-quiTWLf0oS9ppTpxpQb8NNwJsDL5bwOYfO26448VqHjY8aAdhR",
      "OiM3rvymMCzx5fy8KluLaFoR76vAlQMEesXoeHEhoNFr_xi_NymAzBmjKBgoNABHCHyK-DYf3fjFtpAAOhScwUE_-LS59XRYUZDZ",
      "mMevClf-D_uoWvw7EJSYxtHyK32faxcCgE8bsOSrtbIX_de5kUmKOoHPHy1VQZ74rJWmmo-FhrztPFLhr7QHffwtVphX-vLHmdY-",
      "DBeYHmmbjEskDTkqGbupe2w2ziMmcML-wqI1A_HXxMWHf51jcaNwYP8YQNSoCIjbIEu78yfNQV1mjEa4w9fjiefs3o7S09qbshSi",
      "ppUo_7KCSVB4OOgB4GKrmC_Vzn6-RR2kFMZ2sDX0DHDfm0cuuGsaQdmVNzmDTWN_5lIP_Q38PRlwXUTMdiGrIR9B3jiWaZ5E7Q37",
      "qf_Xh_nMyLVJX8uicxeknW6UPG4W02z8oSlG7HEKS1HWTCO0D9I",
    ].join(""),
    nonce: "jRni20ZkkkTAEqYu",
    ciphertext: [
      "bFIQkwmvmzOuCtLY73DV6PCuHx7g3Lgge1CqWQeMSs__Ds5U-XZdpzqmpRrueBHIte6bUTXhFj-bEVTCruO1bvdIv4LFM_nIhGVm",
      "7yueNVEFYgY5PDhjbpGdUR2SQ_RuoCtrOB6t9T6gQ6VJt23k1jBFGoc",
    ].join(""),
  },
};

/** The same by pqcrypto-kyber 0.7.9, which is round 3 of Kyber. */
export const sealedInRoundThree = {
  kemCiphertext: [
    "bMRCAWKVj2J4Ar8T1EKTQPZxCAmvgtqioLibvrE3OWBnHL48ZvwZ83cg1yVm740UDzlXqss1kFeD_nArr3ENzpZ3deCYhVRS0esg",
    "NDXgQ2Tj0TMfkwSIbGoC7LSEHQ4xXXebDdqfOvoa4FSQMHMMkU9oGVyF4fqSyGBrWvRzrJwmgGzgvRJxorHfNjiDvv4rrbdZSR5F",
    "Lf0rDND0Can82C1vpvgQ5nVHzz7Kx5mayyQ4PokQQynEidx7NP7wEY0sfHVGgDfiiYXKt2W2bajjXz4NHOTpBBnq4klod6OiwdDv",
    "OHmxp3IfxRALXpESeW1mvDKj3Owgw58A1RXHXMMoYj54cvv0JcpoHurnpsVW318BzRQ2DOO0dl6kFRSu0sEBpV0V-ffOPKSojHPk",
    "hHrFVNIVSQ8NkwksxeI2_6dwOrOhAu2Qtaof9R9oIGTeceKqRfZgM6OFa_4HhF4SKcI3d9KdltG8q-4ZEpPL0lsv_frHuPWdfUnr",
    "FFzbytUpI2LMlmuUxppYxYRvicS3vva8uEIsOQtkRrTDv-4gk3pG4jMuEq3ZtwNsg91pK0apH4qmlYj24jB0vWJRXlBLm3FZtP7R",
    "9RHtYI8NBA6qImCNAZHGuzicb3CYOSGAFf8ozTFl62JghyrTAcdFrkufGmTjhKRR_pE1DtwfYeYJDGOPnhPmqul0r56TK2BiAPgE",
    "vBJih1Igub5amgK9AMJ0_BBTiUvWezzbhaNL2iGqlgWQNHWUPDAveoGTdsSpto2NqbKOQy_Naji86undxKYLUNCRaC8zasyvwN_L",
    "FgeAh_Da8iYh7CHNdn1wnydWluFZedXj3GRJyRUFxajdFbxUmzGvcJbdGWRSNDMWuA3-RtgPowgdxG6tj7LnTmrU5aQey2DNeC6I",
    "KXEPTW5aOHiQBp5PWzzdImcopvqNlMeU3MFPzGdk-ZQpjpZvJkGyld5aXVZW4yB61GE81k6qRPF2KT-fVXYMJTrXypFpdHyxrX65",
    "M8kOvaEQZ9qggFPCz6_4sS_03dzmMdoj_UmLoLAIT2xEpfOGOoSJm5m7cXn7Y2ZBw6hesD3b629O_-tFygN2Up7C0OeqB1i6YfHX",
    "EbamBFsEwGAJLaR1ImXTDLMnF3UD_93icvrzAryPf4ysRjyRzO1AkHtqR76cW_vki9lDCI5rUmfLAG5WmU9KhIBmA3eudxmYJSVb",
    "O36YVNkYnHX0p4e4qZrMZu2N5cNVFslinft4iEZhM-IIoxdNdayej6vZQc_6YDOdOz0XX3kLBiUXdYFRpD6dLwDe290OYpu2hlgl",
    "meSPASKlzTwx93JvDc_XJgFF7dB_lckBOwJ0UuxLbm8eUgoOG411Vbl3TMGEc-7Y3pNTpxRnh4ObVxzXjkzGPVCCWNEnallQcKnQ",
    "A9HD_QImH2NvYjWokbilaxD50ppirJg6IX7Vc3c4tLbemg-P70A",
  ].join(""),
  nonce: "vlJILdaQmLa3_Y7R",
  ciphertext: [
    "vwlsozFR7g5YmB8q0mERh1Xxop3rVfYqyrkSDbp1ZGahxe2uEjTY2FDY3sCtWQYjubMBjWIt4UCMFy_3rpIpwdjO28uY12I5PDE0",
    "AdvoyjEsVoJJ0DgG-wC3sg_nT8lhXDUg93m8oo2zUy9oD1li9rqicO0",
  ].join(""),
};
